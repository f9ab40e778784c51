-- SPDX-License-Identifier: MIT
-- A refusal whose message is a book.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return nil, { code = "no", message = string.rep("x", 100000) }
            end,
        },
    },
}
