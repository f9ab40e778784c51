-- SPDX-License-Identifier: MIT
-- A timer, and nobody whose it would be.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { timer = "bell", after = 1 } }
        end,
    },
}
