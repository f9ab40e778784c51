-- SPDX-License-Identifier: MIT
-- One action, named a million times.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            local list, one = {}, { message = "M", topic = "t", data = {} }
            for i = 1, 1000000 do list[i] = one end
            return list
        end,
    },
}
