-- SPDX-License-Identifier: MIT
-- Actions under names.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { first = { message = "M", topic = "t", data = {} } }
        end,
    },
}
