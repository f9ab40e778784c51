-- SPDX-License-Identifier: MIT
-- Optional items.
-- call: command
-- expect: pattern_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.find(string.rep("a", 40), string.rep("a?", 30) .. string.rep("a", 30) .. "b")
            end,
        },
    },
}
