-- SPDX-License-Identifier: MIT
-- Headers that are no texts: they go as JSON.
-- call: react
-- expect: ok
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { message = "M", topic = "t", data = {}, headers = { a = {} } } }
        end,
    },
}
