-- SPDX-License-Identifier: MIT
-- Large strings through C functions.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local s = string.rep("x", 1 << 20)
                while true do s:upper():reverse():lower() end
            end,
        },
    },
}
