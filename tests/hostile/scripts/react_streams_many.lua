-- SPDX-License-Identifier: MIT
-- Events on 900 streams, ten times.
-- call: react
-- expect: ok too_many_entries bad_result time_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            local list = {}
            for i = 1, 1000 do list[i] = { command = "thing.Make", id = "a" .. i, data = { n = 1 } } end
            return list
        end,
    },
}
