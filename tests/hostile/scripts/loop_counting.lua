-- SPDX-License-Identifier: MIT
-- A loop that works.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local n = 0
                while true do n = n + 1 end
            end,
        },
    },
}
