-- SPDX-License-Identifier: MIT
-- Messages that are too much together.
-- call: react
-- expect: too_large bad_result memory_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            local list, text = {}, ("x"):rep(100000)
            for i = 1, 900 do list[i] = { message = "M", topic = "t", data = { text = text } } end
            return list
        end,
    },
}
