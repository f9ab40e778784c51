-- SPDX-License-Identifier: MIT
-- meta is nobody's outside of apply.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function(_, _, ctx)
                return {}, { x = ctx.meta.id.x }
            end,
        },
    },
}
