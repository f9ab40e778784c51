-- SPDX-License-Identifier: MIT
-- ctx of an earlier call is dead in a coroutine as well.
-- call: command
-- expect: ok
local kept

return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function(_, _, ctx)
                kept = kept or ctx
                return {}
            end,
        },
    },
}
