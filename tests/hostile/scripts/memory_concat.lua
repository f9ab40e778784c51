-- SPDX-License-Identifier: MIT
-- Joins many large texts.
-- call: command
-- expect: memory_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local s = string.rep("x", 1 << 20)
                local t = {}
                for i = 1, 100 do t[i] = s end
                return {}, { s = table.concat(t) }
            end,
        },
    },
}
