-- SPDX-License-Identifier: MIT
-- A plain search in a large text is linear.
-- call: command
-- expect: ok
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local s = string.rep("a", 1 << 20)
                string.find(s, string.rep("a", 1000) .. "b", 1, true)
                return {}
            end,
        },
    },
}
