-- SPDX-License-Identifier: MIT
-- Compiled code.
-- call: load
-- expect: bad_rules no_text
LuaT
