-- SPDX-License-Identifier: MIT
-- A pattern that backtracks.
-- call: react
-- expect: pattern_limit time_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            string.find(("a"):rep(100000), ("a-"):rep(30) .. "b")
        end,
    },
}
