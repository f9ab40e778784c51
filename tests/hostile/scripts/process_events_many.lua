-- SPDX-License-Identifier: MIT
-- A million events.
-- call: react
-- expect: bad_result memory_limit time_limit
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
            local list = {}
            for i = 1, 1000000 do list[i] = { event = "Noted", data = { n = i } } end
            return list
        end,
    },
    timers = {
        bell = function(state, data, meta, ctx)
            return {}
        end,
    },
}
