-- SPDX-License-Identifier: MIT
-- Moves more than there can be.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                table.move({}, 1, math.maxinteger - 1, 2)
            end,
        },
    },
}
