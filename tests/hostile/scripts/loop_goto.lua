-- SPDX-License-Identifier: MIT
-- A loop by goto.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                ::again::
                goto again
            end,
        },
    },
}
