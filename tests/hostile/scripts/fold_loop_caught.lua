-- SPDX-License-Identifier: MIT
-- apply catches its end.
-- call: fold
-- expect: time_limit
return {
    name = "thing",
    initial = function()
        return { n = 0 }
    end,
    events = {
        Made = {
            data = { n = "integer?" },
            apply = function(state, data)
                while true do pcall(function() while true do end end) end
            end,
        },
    },
    commands = {},
}
