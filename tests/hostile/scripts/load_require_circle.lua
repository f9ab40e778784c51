-- SPDX-License-Identifier: MIT
-- A file that needs itself.
-- call: load
-- expect: bad_rules
return require("hostile")
