-- SPDX-License-Identifier: MIT
-- No Lua.
-- call: load
-- expect: bad_rules
return {{
