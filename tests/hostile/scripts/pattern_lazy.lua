-- SPDX-License-Identifier: MIT
-- Lazy items.
-- call: command
-- expect: pattern_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.find(string.rep("a", 300), ".-.-.-.-b")
            end,
        },
    },
}
