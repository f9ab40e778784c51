-- SPDX-License-Identifier: MIT
-- A timer that never ends.
-- call: timer
-- expect: time_limit
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
            return { { event = "Noted", data = data } }
        end,
    },
    timers = {
        bell = function(state, data, meta, ctx)
            while true do end
        end,
    },
}
