-- SPDX-License-Identifier: MIT
-- Walks matches without end.
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
                    for _ in string.gmatch(string.rep("ab", 10000), "a(b)") do end
                end
            end,
        },
    },
}
