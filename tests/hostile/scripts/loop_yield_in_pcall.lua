-- SPDX-License-Identifier: MIT
-- Yields through pcall, and is resumed without end.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local co = coroutine.wrap(function()
                    while true do pcall(coroutine.yield) end
                end)
                while true do co() end
            end,
        },
    },
}
