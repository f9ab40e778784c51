-- SPDX-License-Identifier: MIT
-- The same with a C function as metamethod.
-- call: command
-- expect: time_limit memory_limit
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = setmetatable({}, { __len = function() return 1 << 40 end, __index = rawlen })
                table.concat(t)
            end,
        },
    },
}
