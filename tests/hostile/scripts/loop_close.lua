-- SPDX-License-Identifier: MIT
-- A value that is closed by a loop.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local x <close> = setmetatable({}, { __close = function() while true do end end })
                while true do end
            end,
        },
    },
}
