-- SPDX-License-Identifier: MIT
-- A reply that holds itself.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = {}
                t.t = t
                return {}, t
            end,
        },
    },
}
