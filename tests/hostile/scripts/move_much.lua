-- SPDX-License-Identifier: MIT
-- Moves nothing, many times.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                while true do table.move({}, 1, 1 << 23, 2) end
            end,
        },
    },
}
