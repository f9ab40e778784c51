-- SPDX-License-Identifier: MIT
-- Catches whatever is raised, and goes on.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                while true do
                    pcall(function() while true do end end)
                end
            end,
        },
    },
}
