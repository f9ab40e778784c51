-- SPDX-License-Identifier: MIT
-- The same, caught.
-- call: load
-- expect: time_limit
while true do pcall(function() while true do end end) end
