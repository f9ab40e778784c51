-- SPDX-License-Identifier: MIT
-- More events than one command may record.
-- call: command
-- expect: bad_result
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function(_, data)
                local events = {}
                for i = 1, 1001 do events[i] = { type = "Made", data = { n = i } } end
                return events
            end,
        },
    },
}
