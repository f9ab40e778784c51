-- SPDX-License-Identifier: MIT
-- Walks its arguments the slow way.
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
                for i = 1, 200 do t[i] = i end
                while true do
                    for i = 1, 200 do select(i, table.unpack(t)) end
                end
            end,
        },
    },
}
