-- SPDX-License-Identifier: MIT
-- A replacement that grows.
-- call: command
-- expect: memory_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return {}, { s = string.gsub(string.rep("x", 100000), "x", string.rep("y", 1000)) }
            end,
        },
    },
}
