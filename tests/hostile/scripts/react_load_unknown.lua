-- SPDX-License-Identifier: MIT
-- Loads what is not there.
-- call: react
-- expect: script_error bad_result
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            ctx:load("nothing", "a")
        end,
    },
}
