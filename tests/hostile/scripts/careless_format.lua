-- SPDX-License-Identifier: MIT
-- A float where an integer is wanted.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return {}, { x = string.format("%d", 1.5) }
            end,
        },
    },
}
