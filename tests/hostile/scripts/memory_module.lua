-- SPDX-License-Identifier: MIT
-- Fills the file's own table.
-- call: command
-- expect: memory_limit
local kept = {}

return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                for i = 1, 1e9 do kept[#kept + 1] = { i } end
            end,
        },
    },
}
