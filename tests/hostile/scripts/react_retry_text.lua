-- SPDX-License-Identifier: MIT
-- Wants to be called again some time.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return nil, { retry = "soon" }
        end,
    },
}
