-- SPDX-License-Identifier: MIT
-- initial never ends the second time.
-- call: initial initial
-- expect: time_limit
local count = 0
return {
    name = "thing",
    initial = function()
        count = count + 1
        while count > 1 do end
        return { n = 0 }
    end,
    events = {},
    commands = {},
}
