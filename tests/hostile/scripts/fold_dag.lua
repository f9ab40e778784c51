-- SPDX-License-Identifier: MIT
-- A state that is endless as text.
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
                local t = { 1 }
                for _ = 1, 40 do t = { t, t } end
                return { t = t }
            end,
        },
    },
    commands = {},
}
