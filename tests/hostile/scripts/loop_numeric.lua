-- SPDX-License-Identifier: MIT
-- A for loop that is practically without end.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local n = 0
                for i = 1, math.maxinteger do n = n ~ i end
                return {}, { n = n }
            end,
        },
    },
}
