-- SPDX-License-Identifier: MIT
-- Through C: gsub in gsub.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local function f(s) return (string.gsub(s, ".", f)) end
                f("x")
            end,
        },
    },
}
