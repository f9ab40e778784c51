-- SPDX-License-Identifier: MIT
-- Catches the limit and tries again.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                while true do pcall(string.find, string.rep("a", 24), string.rep("a*", 12) .. "b") end
            end,
        },
    },
}
