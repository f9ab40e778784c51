-- SPDX-License-Identifier: MIT
-- The collector is not theirs.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                collectgarbage("stop")
            end,
        },
    },
}
