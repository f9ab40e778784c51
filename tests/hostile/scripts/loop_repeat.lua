-- SPDX-License-Identifier: MIT
-- The end never comes.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local x = 1
                repeat x = -x until x == 0
            end,
        },
    },
}
