-- SPDX-License-Identifier: MIT
-- A text too long to be searched.
-- call: command
-- expect: pattern_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.find(string.rep("x", 2 << 20), "y%d")
            end,
        },
    },
}
