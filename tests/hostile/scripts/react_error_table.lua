-- SPDX-License-Identifier: MIT
-- An error that is a table with a metamethod that loops.
-- call: react
-- expect: script_error time_limit
return {
    name = "listener",
    topics = { "made" },
    react = {
        Made = function(data, meta, ctx)
            error(setmetatable({}, { __tostring = function() while true do end end }))
        end,
    },
}
