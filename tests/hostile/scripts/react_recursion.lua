-- SPDX-License-Identifier: MIT
-- Calls itself without end.
-- call: react
-- expect: script_error time_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            local function f() return 1 + f() end
            return f()
        end,
    },
}
