-- SPDX-License-Identifier: MIT
-- A length beyond all bounds is refused.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                local t = setmetatable({}, { __len = function() return 1 << 40 end })
                table.insert(t, 1, 1)
            end,
        },
    },
}
