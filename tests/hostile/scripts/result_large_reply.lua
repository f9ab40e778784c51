-- SPDX-License-Identifier: MIT
-- A reply of more than a megabyte.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return {}, { s = string.rep("x", 200000), t = string.rep("y", 200000), u = string.rep("z", 200000),
                    v = string.rep("v", 200000), w = string.rep("w", 200000), y = string.rep("y", 200000) }
            end,
        },
    },
}
