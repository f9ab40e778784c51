-- SPDX-License-Identifier: MIT
-- Finalizers are refused.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                setmetatable({}, { __gc = function() while true do end end })
            end,
        },
    },
}
