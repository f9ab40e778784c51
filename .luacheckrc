-- SPDX-License-Identifier: MIT
std = "lua54"
-- The house test looks at widths.
max_line_length = false
-- What the sandbox gives to rules; docs/DOMAINS.md lists it.
files["domains"] = { read_globals = { "money", "time", "json" } }
files["tests/unit/core/tally"] = { read_globals = { "money", "time", "json" } }
files["**/spec/*_spec.lua"] = { std = "lua54+busted", read_globals = { "moonlog", "money", "time", "json" } }
files["lua/moonlog/runner.lua"] = { globals = { "arg" }, ignore = { "122" } }
