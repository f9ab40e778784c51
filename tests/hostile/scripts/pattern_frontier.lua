-- SPDX-License-Identifier: MIT
-- A frontier with a long set.
-- call: command
-- expect: pattern_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.find(string.rep("a", 100000), "%f[" .. string.rep("bc", 50000) .. "]x")
            end,
        },
    },
}
