-- SPDX-License-Identifier: MIT
-- Calls itself without end.
-- call: command
-- expect: script_error time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local function f() return 1 + f() end
                return f()
            end,
        },
    },
}
