-- SPDX-License-Identifier: MIT
-- The file returns nothing.
-- call: load
-- expect: bad_rules
local x = 1
