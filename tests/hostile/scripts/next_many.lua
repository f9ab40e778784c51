-- SPDX-License-Identifier: MIT
-- next through many keys: each step looks at all.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = {}
                for i = 1, 50000 do t["k" .. i] = i end
                local key
                repeat key = next(t, key) until key == nil
            end,
        },
    },
}
