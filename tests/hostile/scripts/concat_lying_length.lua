-- SPDX-License-Identifier: MIT
-- Joins what a metamethod makes up.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = setmetatable({}, { __len = function() return 1 << 40 end, __index = function() return "" end })
                table.concat(t)
            end,
        },
    },
}
