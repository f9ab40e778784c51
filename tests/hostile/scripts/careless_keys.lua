-- SPDX-License-Identifier: MIT
-- A table as key.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = { [{}] = 1 }
                for _ in pairs(t) do end
            end,
        },
    },
}
