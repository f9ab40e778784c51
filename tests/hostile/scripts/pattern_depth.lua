-- SPDX-License-Identifier: MIT
-- More groups than the matcher follows.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.find(string.rep("a", 400), string.rep("(a)", 33))
            end,
        },
    },
}
