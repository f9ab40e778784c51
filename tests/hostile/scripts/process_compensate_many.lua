-- SPDX-License-Identifier: MIT
-- More compensations than it may have.
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
            local list = {}
            for i = 1, 5000 do list[i] = { compensate = { command = "thing.Make", id = "a", data = { n = i } } } end
            return list
        end,
    },
    timers = {
        bell = function(state, data, meta, ctx)
            return {}
        end,
    },
}
