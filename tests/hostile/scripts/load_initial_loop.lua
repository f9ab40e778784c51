-- SPDX-License-Identifier: MIT
-- initial never ends.
-- call: load
-- expect: time_limit
return { name = "thing", initial = function() while true do end end, events = {}, commands = {} }
