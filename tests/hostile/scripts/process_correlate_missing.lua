-- SPDX-License-Identifier: MIT
-- Data without the field that tells the process.
-- call: react
-- expect: no_correlation
return {
    name = "chain",
    topics = { "made" },
    correlate = "nothing",
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
            return { { event = "Noted", data = data } }
        end,
    },
    timers = {
        bell = function(state, data, meta, ctx)
            return {}
        end,
    },
}
