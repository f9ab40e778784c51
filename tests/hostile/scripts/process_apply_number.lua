-- SPDX-License-Identifier: MIT
-- Applying its own event gives a number.
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
                return 7
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
