-- SPDX-License-Identifier: MIT
-- apply raises.
-- call: fold
-- expect: script_error
return {
    name = "thing",
    initial = function()
        return { n = 0 }
    end,
    events = {
        Made = {
            data = { n = "integer?" },
            apply = function(state, data)
                error("no")
            end,
        },
    },
    commands = {},
}
