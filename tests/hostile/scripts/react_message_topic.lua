-- SPDX-License-Identifier: MIT
-- A topic that Kafka cannot have.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { message = "M", topic = "no such/topic", data = {} } }
        end,
    },
}
