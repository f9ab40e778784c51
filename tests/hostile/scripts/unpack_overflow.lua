-- SPDX-License-Identifier: MIT
-- Bounds whose difference overflows.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return table.unpack({}, math.mininteger, math.maxinteger)
            end,
        },
    },
}
