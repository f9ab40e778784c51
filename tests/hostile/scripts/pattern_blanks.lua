-- SPDX-License-Identifier: MIT
-- Blanks at the end, on many blanks.
-- call: command
-- expect: pattern_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.match(string.rep(" ", 20000) .. "x", "%s+$")
            end,
        },
    },
}
