-- SPDX-License-Identifier: MIT
-- Tables in tables: where the machine gives memory slowly, time runs out first.
-- call: command
-- expect: memory_limit time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = {}
                while true do t = { t, t } t = { t, { t } } local u = {} u[1] = string.rep("x", 1000) t[3] = u end
            end,
        },
    },
}
