-- SPDX-License-Identifier: MIT
-- Searches for hours while it is loaded.
-- call: load
-- expect: pattern_limit bad_rules
string.find(string.rep("a", 24), string.rep("a*", 12) .. "b")
