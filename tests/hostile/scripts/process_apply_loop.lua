-- SPDX-License-Identifier: MIT
-- Applying its own event never ends.
-- call: react
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
                while true do end
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
