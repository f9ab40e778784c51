-- SPDX-License-Identifier: MIT
-- apply searches for hours.
-- call: fold
-- expect: pattern_limit
return {
    name = "thing",
    initial = function()
        return { n = 0 }
    end,
    events = {
        Made = {
            data = { n = "integer?" },
            apply = function(state, data)
                string.find(string.rep("a", 24), string.rep("a*", 12) .. "b")
                return state
            end,
        },
    },
    commands = {},
}
