-- SPDX-License-Identifier: MIT
-- The same, caught, again and again.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local function f() return 1 + f() end
                while true do pcall(f) end
            end,
        },
    },
}
