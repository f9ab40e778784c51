-- SPDX-License-Identifier: MIT
-- Each caught error starts it anew.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local function again()
                    pcall(again)
                    while true do pcall(again) end
                end
                again()
            end,
        },
    },
}
