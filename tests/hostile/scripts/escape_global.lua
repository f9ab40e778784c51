-- SPDX-License-Identifier: MIT
-- No globals.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                leak = 1
            end,
        },
    },
}
