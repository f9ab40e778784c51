-- SPDX-License-Identifier: MIT
-- Eats memory: where the machine gives it slowly, time runs out first.
-- call: react
-- expect: memory_limit time_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            local t = {}
            for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end
        end,
    },
}
