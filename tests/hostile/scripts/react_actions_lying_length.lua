-- SPDX-License-Identifier: MIT
-- Actions that a metamethod makes up, without end.
-- call: react
-- expect: ok
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return setmetatable({}, { __len = function() return 1 << 40 end,
                                      __index = function() return { message = "M", topic = "t", data = {} } end })
        end,
    },
}
