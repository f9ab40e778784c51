-- SPDX-License-Identifier: MIT
-- Formats without end.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                while true do string.format("%99.99f", 1e308) end
            end,
        },
    },
}
