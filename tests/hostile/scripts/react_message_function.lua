-- SPDX-License-Identifier: MIT
-- A message with a function.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { message = "M", topic = "t", data = { f = function() end } } }
        end,
    },
}
