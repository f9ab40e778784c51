-- SPDX-License-Identifier: MIT
-- Sorts many keys without end.
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
                for i = 1, 50000 do t["k" .. i] = i end
                while true do
                    for _ in pairs(t) do break end
                end
            end,
        },
    },
}
