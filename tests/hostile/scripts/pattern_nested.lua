-- SPDX-License-Identifier: MIT
-- Backtracks for hours.
-- call: command
-- expect: pattern_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.find(string.rep("a", 24), string.rep("a*", 12) .. "b")
            end,
        },
    },
}
