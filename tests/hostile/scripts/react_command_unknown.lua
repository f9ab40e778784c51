-- SPDX-License-Identifier: MIT
-- A command that nobody has.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { command = "thing.Nothing", id = "a", data = {} } }
        end,
    },
}
