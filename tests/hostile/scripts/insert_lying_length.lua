-- SPDX-License-Identifier: MIT
-- A length that lies.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = setmetatable({}, { __len = function() return 1 << 23 end })
                while true do table.insert(t, 1, 1) end
            end,
        },
    },
}
