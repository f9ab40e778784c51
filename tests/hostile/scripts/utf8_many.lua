-- SPDX-License-Identifier: MIT
-- Counts characters of a large text without end.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local s = string.rep("\u{20ac}", 1 << 20)
                while true do utf8.len(s) end
            end,
        },
    },
}
