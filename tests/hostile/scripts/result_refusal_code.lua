-- SPDX-License-Identifier: MIT
-- A refusal without a code.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return nil, { message = "no" }
            end,
        },
    },
}
