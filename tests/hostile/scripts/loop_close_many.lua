-- SPDX-License-Identifier: MIT
-- Every scope that a kill leaves closes by a loop.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local closing = setmetatable({}, { __close = function() while true do end end })
                local function nest(depth)
                    local x <close> = closing
                    if depth > 0 then nest(depth - 1) end
                    while true do end
                end
                nest(150)
            end,
        },
    },
}
