-- SPDX-License-Identifier: MIT
-- A comparator that never answers.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                table.sort({ 3, 1, 2 }, function() while true do end end)
            end,
        },
    },
}
