-- SPDX-License-Identifier: MIT
-- Takes the first of many, again and again.
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
                for i = 1, 300000 do t[i] = i end
                while true do table.insert(t, 1, table.remove(t, 1)) end
            end,
        },
    },
}
