-- SPDX-License-Identifier: MIT
-- A reactor that never ends.
-- call: react
-- expect: time_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            while true do end
        end,
    },
}
