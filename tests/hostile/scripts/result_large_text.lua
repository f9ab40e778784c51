-- SPDX-License-Identifier: MIT
-- A text of more than JSON texts may have.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return {}, { s = string.rep("x", 300000) }
            end,
        },
    },
}
