-- SPDX-License-Identifier: MIT
-- Wants to be called again at once, always.
-- call: react
-- expect: retry
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return nil, { retry = 0 }
        end,
    },
}
