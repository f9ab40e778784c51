-- SPDX-License-Identifier: MIT
-- Catches on many levels.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local function nest(depth)
                    while true do
                        if depth > 0 then pcall(nest, depth - 1) end
                    end
                end
                nest(100)
            end,
        },
    },
}
