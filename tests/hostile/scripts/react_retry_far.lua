-- SPDX-License-Identifier: MIT
-- Wants to be called again in a thousand years.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return nil, { retry = 1e12 }
        end,
    },
}
