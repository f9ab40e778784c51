-- SPDX-License-Identifier: MIT
-- Metamethods of a result are not run.
-- call: command
-- expect: ok
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return setmetatable({}, {
                    __len = function() while true do end end,
                    __index = function() while true do end end,
                })
            end,
        },
    },
}
