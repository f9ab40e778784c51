-- SPDX-License-Identifier: MIT
-- The state after its event would hold a function: nothing is recorded.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = {
        Made = {
            data = { n = "integer?" },
            apply = function(state)
                state.f = function() end
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
