-- SPDX-License-Identifier: MIT
-- A chain of tables that ends in itself.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local a, b = {}, {}
                setmetatable(a, { __index = b })
                setmetatable(b, { __index = a })
                return a.x
            end,
        },
    },
}
