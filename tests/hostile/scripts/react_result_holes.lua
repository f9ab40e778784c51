-- SPDX-License-Identifier: MIT
-- A list with a hole.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { [1] = { message = "M", topic = "t", data = {} }, [1000000] = { message = "M", topic = "t", data = {} } }
        end,
    },
}
