-- SPDX-License-Identifier: MIT
-- Decodes a text that is no JSON: the rule is at fault, not the request.
-- call: command
-- expect: script_error
return {
    name = "thing",
    initial = function() return { n = 0 } end,
    events = { Made = { data = { n = "integer?" }, apply = function(state) return state end } },
    commands = {
        Do = {
            handle = function()
                return {}, { x = json.decode("{ no }") }
            end,
        },
    },
}
