-- SPDX-License-Identifier: MIT
-- A state that holds a function cannot be kept.
-- call: fold encode
-- expect: bad_result
return {
    name = "thing",
    initial = function()
        return { n = 0 }
    end,
    events = {
        Made = {
            data = { n = "integer?" },
            apply = function(state, data)
                state.f = function() end
                return state
            end,
        },
    },
    commands = {},
}
