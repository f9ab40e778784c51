-- SPDX-License-Identifier: MIT
-- Asks a field of nothing.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function(state)
                return {}, { x = state.missing.field }
            end,
        },
    },
}
