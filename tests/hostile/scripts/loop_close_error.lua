-- SPDX-License-Identifier: MIT
-- Closing raises, again and again.
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
                    pcall(function()
                        local x <close> = setmetatable({}, { __close = function() error("again") end })
                    end)
                end
            end,
        },
    },
}
