-- SPDX-License-Identifier: MIT
-- As insert.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                table.remove(setmetatable({}, { __len = function() return 1 << 40 end }), 1)
            end,
        },
    },
}
