-- SPDX-License-Identifier: MIT
-- An event, and no process whose it would be.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { event = "Noted", data = {} } }
        end,
    },
}
