-- SPDX-License-Identifier: MIT
-- Returns a text.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return "events"
            end,
        },
    },
}
