-- SPDX-License-Identifier: MIT
-- A timer with 16 MiB of data.
-- call: react
-- expect: too_large bad_result memory_limit
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
            return { { timer = "bell", after = 1, data = { text = ("x"):rep(16 << 20) } } }
        end,
    },
    timers = {
        bell = function(state, data, meta, ctx)
            return {}
        end,
    },
}
