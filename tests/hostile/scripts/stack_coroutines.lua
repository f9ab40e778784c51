-- SPDX-License-Identifier: MIT
-- A coroutine resumes a coroutine.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local function f() return coroutine.wrap(f)() end
                f()
            end,
        },
    },
}
