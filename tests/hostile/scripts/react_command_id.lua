-- SPDX-License-Identifier: MIT
-- An id that is none.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { command = "thing.Make", id = "a/b c", data = { n = 1 } } }
        end,
    },
}
