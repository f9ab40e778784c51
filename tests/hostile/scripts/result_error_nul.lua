-- SPDX-License-Identifier: MIT
-- An error text with bytes that are no text.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                error("a\0b\27[31m\r\nX: y")
            end,
        },
    },
}
