-- SPDX-License-Identifier: MIT
-- pcall in pcall.
-- call: command
-- expect: ok
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local deepest = 0
                local function f(depth)
                    deepest = depth
                    pcall(f, depth + 1)
                end
                f(1)
                return {}
            end,
        },
    },
}
