-- SPDX-License-Identifier: MIT
-- coroutine.close is not there.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                coroutine.close(coroutine.create(function() end))
            end,
        },
    },
}
