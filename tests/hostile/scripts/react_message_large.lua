-- SPDX-License-Identifier: MIT
-- A message of 16 MiB.
-- call: react
-- expect: too_large bad_result memory_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { message = "M", topic = "t", data = { text = ("x"):rep(16 << 20) } } }
        end,
    },
}
