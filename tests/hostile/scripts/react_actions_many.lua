-- SPDX-License-Identifier: MIT
-- A million commands.
-- call: react
-- expect: bad_result time_limit memory_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            local list = {}
            for i = 1, 1000000 do list[i] = { command = "thing.Make", id = "a" .. i, data = { n = 1 } } end
            return list
        end,
    },
}
