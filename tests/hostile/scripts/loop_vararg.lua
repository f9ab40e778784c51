-- SPDX-License-Identifier: MIT
-- Passes its arguments on without end.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local function f(...) return f(...) end
                f(1, 2, 3)
            end,
        },
    },
}
