-- SPDX-License-Identifier: MIT
-- Raises and catches tables without end.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                while true do pcall(error, { code = "again" }) end
            end,
        },
    },
}
