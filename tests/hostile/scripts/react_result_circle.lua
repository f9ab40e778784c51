-- SPDX-License-Identifier: MIT
-- A list of actions that holds itself.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            local t = {}
            t[1] = t
            return t
        end,
    },
}
