-- SPDX-License-Identifier: MIT
-- Coroutines that nobody ends.
-- call: command
-- expect: memory_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local cos = {}
                for i = 1, 1e9 do
                    cos[i] = coroutine.create(function() coroutine.yield() end)
                    coroutine.resume(cos[i])
                end
            end,
        },
    },
}
