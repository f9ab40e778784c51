-- SPDX-License-Identifier: MIT
-- A table that grows.
-- call: command
-- expect: memory_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = {}
                for i = 1, 1e9 do t[i] = i end
            end,
        },
    },
}
