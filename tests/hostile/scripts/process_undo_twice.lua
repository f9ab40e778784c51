-- SPDX-License-Identifier: MIT
-- Undoes what it has just undone, again and again.
-- call: react
-- expect: ok bad_result
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
            local list = { { compensate = { command = "thing.Make", id = "a", data = { n = 1 } } } }
            for i = 2, 500 do list[i] = { undo = true } end
            return list
        end,
    },
    timers = {
        bell = function(state, data, meta, ctx)
            return {}
        end,
    },
}
