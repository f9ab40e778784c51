-- SPDX-License-Identifier: MIT
-- The metatable of texts is out of reach.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                getmetatable("").__index = {}
            end,
        },
    },
}
