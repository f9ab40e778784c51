-- SPDX-License-Identifier: MIT
-- Compares long equal texts in C.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local s = string.rep("x", 4 << 20)
                local t = {}
                for i = 1, 5000 do t[i] = s end
                table.sort(t)
            end,
        },
    },
}
