-- SPDX-License-Identifier: MIT
-- Compares a long capture at each place.
-- call: command
-- expect: pattern_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.find(string.rep("a", 500000), "^(" .. string.rep("a", 10) .. ".-)x%1b")
            end,
        },
    },
}
