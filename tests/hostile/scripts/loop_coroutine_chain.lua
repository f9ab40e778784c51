-- SPDX-License-Identifier: MIT
-- A loop in a coroutine in a coroutine.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local function nest(depth)
                    if depth == 0 then while true do end end
                    local co = coroutine.wrap(nest)
                    while true do pcall(co, depth - 1) end
                end
                nest(30)
            end,
        },
    },
}
