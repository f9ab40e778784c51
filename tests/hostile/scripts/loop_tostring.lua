-- SPDX-License-Identifier: MIT
-- The error value never becomes a text.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                while true do
                    pcall(error, setmetatable({}, { __tostring = function() while true do end end }))
                    tostring(setmetatable({}, { __tostring = function() while true do end end }))
                end
            end,
        },
    },
}
