-- SPDX-License-Identifier: MIT
-- apply forgets to return the state.
-- call: fold
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
                state.n = data.n
            end,
        },
    },
    commands = {},
}
