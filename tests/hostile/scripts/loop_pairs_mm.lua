-- SPDX-License-Identifier: MIT
-- pairs of a table that walks without end.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = setmetatable({}, { __pairs = function() return function() return 1 end end })
                for _ in pairs(t) do end
            end,
        },
    },
}
