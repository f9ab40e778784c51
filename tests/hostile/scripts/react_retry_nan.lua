-- SPDX-License-Identifier: MIT
-- Wants to be called again at no time.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return nil, { retry = 0 / 0 }
        end,
    },
}
