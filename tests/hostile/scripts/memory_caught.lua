-- SPDX-License-Identifier: MIT
-- Catches the lack of memory, and asks again.
-- call: command
-- expect: time_limit memory_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local keep = {}
                while true do
                    pcall(function()
                        local t = {}
                        for i = 1, 1e9 do t[i] = { i } end
                    end)
                    keep[#keep + 1] = string.rep("x", 100)
                end
            end,
        },
    },
}
