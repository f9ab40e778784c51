-- SPDX-License-Identifier: MIT
-- A reply that is small in memory and endless as text.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = { 1 }
                for _ = 1, 40 do t = { t, t } end
                return {}, { t = t }
            end,
        },
    },
}
