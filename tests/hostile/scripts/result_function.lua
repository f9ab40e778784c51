-- SPDX-License-Identifier: MIT
-- A reply that holds a function.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return {}, { f = function() end }
            end,
        },
    },
}
