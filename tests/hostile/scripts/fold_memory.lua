-- SPDX-License-Identifier: MIT
-- apply fills the memory.
-- call: fold
-- expect: memory_limit
return {
    name = "thing",
    initial = function()
        return { n = 0 }
    end,
    events = {
        Made = {
            data = { n = "integer?" },
            apply = function(state, data)
                for i = 1, 1e9 do state[i] = { i } end
                return state
            end,
        },
    },
    commands = {},
}
