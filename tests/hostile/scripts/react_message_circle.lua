-- SPDX-License-Identifier: MIT
-- A message that holds itself.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            local t = {}
            t.t = t
            return { { message = "M", topic = "t", data = t } }
        end,
    },
}
