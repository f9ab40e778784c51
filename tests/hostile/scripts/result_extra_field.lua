-- SPDX-License-Identifier: MIT
-- A misspelt field.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return { { type = "Made", dta = { n = 1 } } }
            end,
        },
    },
}
