-- SPDX-License-Identifier: MIT
-- A replacement that never comes.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return {}, { s = string.gsub("abc", ".", function() while true do end end) }
            end,
        },
    },
}
