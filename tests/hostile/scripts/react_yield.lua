-- SPDX-License-Identifier: MIT
-- Yields to whoever called it.
-- call: react
-- expect: script_error
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            coroutine.yield({})
        end,
    },
}
