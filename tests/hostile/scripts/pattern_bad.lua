-- SPDX-License-Identifier: MIT
-- No pattern at all.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                string.find("x", "[a")
            end,
        },
    },
}
