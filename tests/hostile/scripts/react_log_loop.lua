-- SPDX-License-Identifier: MIT
-- Fills the log.
-- call: react
-- expect: time_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            while true do ctx:log("info", ("x"):rep(1000)) end
        end,
    },
}
