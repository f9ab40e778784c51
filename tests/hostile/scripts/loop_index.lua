-- SPDX-License-Identifier: MIT
-- A metamethod that asks itself.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = setmetatable({}, { __index = function(self, key) return self[key] end })
                while true do pcall(function() return t.x end) end
            end,
        },
    },
}
