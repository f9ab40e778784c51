-- SPDX-License-Identifier: MIT
-- A generic for whose iterator has no end.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                for _ in function() return 1 end do end
            end,
        },
    },
}
