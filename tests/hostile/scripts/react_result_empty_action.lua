-- SPDX-License-Identifier: MIT
-- An action that says nothing.
-- call: react
-- expect: bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            return { {} }
        end,
    },
}
