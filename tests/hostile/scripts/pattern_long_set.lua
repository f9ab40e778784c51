-- SPDX-License-Identifier: MIT
-- A set of a hundred thousand characters.
-- call: command
-- expect: pattern_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.find(string.rep("a", 100000), "[" .. string.rep("b", 100000) .. "]$")
            end,
        },
    },
}
