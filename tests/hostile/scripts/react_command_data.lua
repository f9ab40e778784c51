-- SPDX-License-Identifier: MIT
-- Data that the schema does not take.
-- call: react
-- expect: bad_type bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { command = "thing.Make", id = "a", data = { n = "one" } } }
        end,
    },
}
