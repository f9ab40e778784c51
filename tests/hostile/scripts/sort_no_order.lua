-- SPDX-License-Identifier: MIT
-- A comparator without order, on many elements.
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
                for i = 1, 200000 do t[i] = i * 7919 % 1000003 end
                local calls = 0
                while true do
                    pcall(table.sort, t, function() calls = calls + 1 return calls % 2 == 0 end)
                end
            end,
        },
    },
}
