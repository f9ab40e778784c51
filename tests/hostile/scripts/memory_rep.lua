-- SPDX-License-Identifier: MIT
-- A gigabyte at once.
-- call: command
-- expect: memory_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return {}, { s = string.rep("x", 1 << 30) }
            end,
        },
    },
}
