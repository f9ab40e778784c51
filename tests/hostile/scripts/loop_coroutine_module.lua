-- SPDX-License-Identifier: MIT
-- The coroutine lives in the file, from one call to the next.
-- call: command
-- expect: time_limit
local spin = coroutine.wrap(function()
    while true do pcall(function() while true do end end) end
end)

return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                spin()
                return {}
            end,
        },
    },
}
