-- SPDX-License-Identifier: MIT
-- Draws ids without end.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function(_, _, ctx)
                while true do ctx:uuid() end
            end,
        },
    },
}
