-- SPDX-License-Identifier: MIT
-- An error that is no text.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                error({ code = "x", message = "y" })
            end,
        },
    },
}
