-- SPDX-License-Identifier: MIT
-- Returns a table that is no list.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function(_, data)
                return { type = "Made", data = {} }
            end,
        },
    },
}
