-- SPDX-License-Identifier: MIT
-- The same, and it catches what stops it.
-- call: react
-- expect: time_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            while true do
                pcall(function() while true do end end)
            end
        end,
    },
}
