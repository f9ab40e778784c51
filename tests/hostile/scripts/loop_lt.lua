-- SPDX-License-Identifier: MIT
-- Comparing never ends.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local mt = { __lt = function() while true do end end }
                return setmetatable({}, mt) < setmetatable({}, mt)
            end,
        },
    },
}
