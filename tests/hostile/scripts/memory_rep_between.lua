-- SPDX-License-Identifier: MIT
-- The same through the separator.
-- call: command
-- expect: memory_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return {}, { s = string.rep("", 1 << 30, "xxxxxxxx") }
            end,
        },
    },
}
