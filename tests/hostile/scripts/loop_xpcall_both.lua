-- SPDX-License-Identifier: MIT
-- Function and handler are loops.
-- call: command
-- expect: time_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local function spin() while true do end end
                while true do xpcall(spin, spin) end
            end,
        },
    },
}
