-- SPDX-License-Identifier: MIT
-- More results than the stack holds.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return table.unpack({}, 1, 1e8)
            end,
        },
    },
}
