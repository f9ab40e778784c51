-- SPDX-License-Identifier: MIT
-- A list of what are no actions.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { 1, 2, 3 }
        end,
    },
}
