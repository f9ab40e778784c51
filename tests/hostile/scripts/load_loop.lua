-- SPDX-License-Identifier: MIT
-- The file never ends.
-- call: load
-- expect: time_limit
while true do end
