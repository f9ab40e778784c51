-- SPDX-License-Identifier: MIT
-- Applying its own event eats memory: where the machine gives it slowly, time runs out first.
-- call: react
-- expect: memory_limit time_limit
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
                local t = {}
                for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end
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
