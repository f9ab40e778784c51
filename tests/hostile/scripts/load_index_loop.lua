-- SPDX-License-Identifier: MIT
-- The table that the file returns answers by a loop.
-- call: load
-- expect: bad_rules ok
return setmetatable({}, { __index = function() while true do end end, __len = function() while true do end end })
