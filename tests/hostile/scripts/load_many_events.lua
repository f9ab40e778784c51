-- SPDX-License-Identifier: MIT
-- Hundred thousand events: refused or loaded, but in time.
-- call: load
-- expect: time_limit bad_rules memory_limit ok
local events = {}
for i = 1, 100000 do
    events["E" .. i] = { apply = function(state) return state end }
end
return { name = "thing", initial = function() return {} end, events = events, commands = {} }
