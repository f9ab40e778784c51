-- SPDX-License-Identifier: MIT
-- There is no debug library.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return debug.sethook()
            end,
        },
    },
}
