-- SPDX-License-Identifier: MIT
-- Unbalanced, from each place on.
-- call: command
-- expect: pattern_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.find(string.rep("(", 5000), "%b()")
            end,
        },
    },
}
