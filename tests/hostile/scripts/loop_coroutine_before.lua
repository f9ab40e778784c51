-- SPDX-License-Identifier: MIT
-- The coroutine was made long before it is resumed.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local cos = {}
                for i = 1, 100 do
                    cos[i] = coroutine.create(function() while true do coroutine.yield() end end)
                end
                while true do
                    for i = 1, 100 do coroutine.resume(cos[i]) end
                end
            end,
        },
    },
}
