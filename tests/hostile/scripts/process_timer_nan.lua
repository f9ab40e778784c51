-- SPDX-License-Identifier: MIT
-- A timer at no time.
-- call: react
-- expect: bad_result
return {
    name = "chain",
    topics = { "made" },
    correlate = "id",
    starts = { "Made" },
    initial = function() return { n = 0 } end,
    events = {
        Noted = {
            data = { n = "integer?", id = "string?" },
            apply = function(state, data)
                return state
            end,
        },
    },
    react = {
        Made = function(state, data, meta, ctx)
            return { { timer = "bell", after = 0 / 0 } }
        end,
    },
    timers = {
        bell = function(state, data, meta, ctx)
            return {}
        end,
    },
}
