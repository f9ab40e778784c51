-- SPDX-License-Identifier: MIT
-- An answer that is no list.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return 42
        end,
    },
}
