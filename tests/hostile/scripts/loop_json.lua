-- SPDX-License-Identifier: MIT
-- Encodes and decodes without end.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                while true do json.decode(json.encode({ a = { 1, 2, 3 } })) end
            end,
        },
    },
}
