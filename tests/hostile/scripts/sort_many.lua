-- SPDX-License-Identifier: MIT
-- Sorts numbers in C without end.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = {}
                for i = 1, 100000 do t[i] = i * 7919 % 1000003 end
                while true do table.sort(t) table.move(t, 1, 50000, 50001) end
            end,
        },
    },
}
