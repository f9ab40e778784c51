-- SPDX-License-Identifier: MIT
-- A text that doubles.
-- call: command
-- expect: memory_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local s = "x"
                while true do s = s .. s end
            end,
        },
    },
}
