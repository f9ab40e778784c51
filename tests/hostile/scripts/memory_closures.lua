-- SPDX-License-Identifier: MIT
-- Functions that keep what they saw.
-- call: command
-- expect: memory_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local last
                for i = 1, 1e9 do
                    local before = last
                    last = function() return before, i end
                end
            end,
        },
    },
}
