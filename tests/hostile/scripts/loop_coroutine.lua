-- SPDX-License-Identifier: MIT
-- A loop in a coroutine.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local co = coroutine.wrap(function() while true do end end)
                co()
            end,
        },
    },
}
