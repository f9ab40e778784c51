-- SPDX-License-Identifier: MIT
std = "lua54"
-- The house test looks at widths.
max_line_length = false
-- What the sandbox gives to rules, made from the engine's allow-list (tests/cli compares it).
stds.moonlog = require "lua.moonlog.luacheck"
files["domains"] = { std = "moonlog" }
files["tests/unit/core/tally"] = { std = "moonlog" }
files["examples/legacy"] = { std = "moonlog" }
files["tests/cli/legacy"] = { std = "moonlog" }
files["tests/unit/script/*/spec"] = { std = "lua54+busted+moonlog", read_globals = { "moonlog" } }
files["domains/*/spec"] = { std = "lua54+busted+moonlog", read_globals = { "moonlog" } }
files["lua/moonlog/runner.lua"] = { globals = { "arg" }, ignore = { "122" } }
