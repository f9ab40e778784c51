-- SPDX-License-Identifier: MIT
-- A metamethod that writes itself.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = setmetatable({}, { __newindex = function() while true do end end })
                t.x = 1
            end,
        },
    },
}
