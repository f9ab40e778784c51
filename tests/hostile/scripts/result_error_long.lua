-- SPDX-License-Identifier: MIT
-- An error of many megabytes.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                error(string.rep("x", 1 << 20))
            end,
        },
    },
}
