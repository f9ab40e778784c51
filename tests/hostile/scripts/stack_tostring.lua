-- SPDX-License-Identifier: MIT
-- A metamethod that needs itself.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local mt = {}
                mt.__tostring = function(t) return tostring(t) end
                return tostring(setmetatable({}, mt))
            end,
        },
    },
}
