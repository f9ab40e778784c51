-- SPDX-License-Identifier: MIT
-- A large number of bytes by pack.
-- call: command
-- expect: memory_limit script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return {}, { s = string.pack("c2000000000", "x") }
            end,
        },
    },
}
