-- SPDX-License-Identifier: MIT
-- Joining never ends.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return {}, { x = setmetatable({}, { __concat = function() while true do end end }) .. "x" }
            end,
        },
    },
}
