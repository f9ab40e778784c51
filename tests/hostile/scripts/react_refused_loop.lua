-- SPDX-License-Identifier: MIT
-- What answers a refusal never ends.
-- call: react
-- expect: time_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { command = "thing.Refuse", id = "a", data = { n = 1 }, refused = function() while true do end end } }
        end,
    },
}
