-- SPDX-License-Identifier: MIT
-- An event that is not declared.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function(_, data)
                return { { type = "Mode", data = {} } }
            end,
        },
    },
}
