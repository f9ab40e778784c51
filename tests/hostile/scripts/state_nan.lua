-- SPDX-License-Identifier: MIT
-- The state after its event would hold a number that has no form: nothing is recorded.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = {
        Made = {
            data = { n = "integer?" },
            apply = function(state)
                state.f = 0 / 0
                return state
            end,
        },
    },
    commands = {
        Do = {
            handle = function() return { { type = "Made", data = { n = 1 } } } end,
        },
    },
}
