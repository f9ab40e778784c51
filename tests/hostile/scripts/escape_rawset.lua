-- SPDX-License-Identifier: MIT
-- Nor by rawset.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                rawset(string, "rep", nil)
            end,
        },
    },
}
