-- SPDX-License-Identifier: MIT
-- Weak tables are refused.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                setmetatable({}, { __mode = "k" })
            end,
        },
    },
}
