-- SPDX-License-Identifier: MIT
-- A key that is a table.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { message = "M", topic = "t", data = {}, key = {} } }
        end,
    },
}
