-- SPDX-License-Identifier: MIT
-- Libraries cannot be changed.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.rep = function() return "changed" end
            end,
        },
    },
}
