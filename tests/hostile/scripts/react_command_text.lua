-- SPDX-License-Identifier: MIT
-- A command that is a table.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { { command = {}, id = "a", data = {} } }
        end,
    },
}
