-- SPDX-License-Identifier: MIT
-- Changes the state that it was given: only a copy.
-- call: command
-- expect: ok
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function(state)
                state.n = state.n + 1
                state.self = state
                return {}
            end,
        },
    },
}
