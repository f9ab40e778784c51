-- SPDX-License-Identifier: MIT
-- A message with what is no number.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { message = "M", topic = "t", data = { n = 0 / 0 } } }
        end,
    },
}
