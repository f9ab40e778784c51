-- SPDX-License-Identifier: MIT
-- The house test tested: a tree with one fault of each kind gets exactly these reports, a clean one gets none.
-- Usage: lua5.4 itself.lua FOLDER_OF_HOUSE

local folder = arg[1] or "."
package.path = folder .. "/?.lua;" .. package.path
local tree = require "tree"

local SPDX = "/* SPDX-License-Identifier: MIT */\n"

local clean = {
    ["engine/base/CMakeLists.txt"] = "room(base FILES slice.c LIBS PkgConfig::CRYPTO)\n",
    ["engine/base/README.md"] = "# base\n\n- slice\n",
    ["engine/base/slice.h"] = SPDX .. "#ifndef SLICE_H\n#define SLICE_H\nint slice_size(int of);\n#endif\n",
    ["engine/base/slice.c"] = SPDX .. '#include "base/slice.h"\n\n/* Keeps [I1]. */\nint\nslice_size(int of)\n{\n\treturn of;\n}\n',
    ["tests/slice_test.c"] = SPDX .. "/* Shows [I1]. */\n#include <stdio.h>\n",
}

local function with(changes)
    local files = {}
    for path, text in pairs(clean) do
        files[path] = text
    end
    for path, text in pairs(changes) do
        files[path] = text
    end
    return files
end

local function long_function(marker)
    return SPDX .. "#include <stdio.h>\n\nint\nslice_size(int of)\n{\n" .. marker .. ("\tof++;\n"):rep(80) .. "\treturn of;\n}\n"
end

local cases = {
    { "a clean tree", {} },
    { "an upper floor", { ["engine/base/slice.h"] = SPDX .. '#include "core/engine.h"\n', ["engine/core/engine.h"] = SPDX },
        "the room base may not include core/engine.h" },
    { "a foreign library", { ["engine/base/slice.c"] = SPDX .. "#include <sqlite3.h>\n" }, "<sqlite3.h> belongs to another room" },
    { "an unknown library", { ["engine/base/slice.c"] = SPDX .. "#include <zlib.h>\n" }, "<zlib.h> is no header of the C library" },
    { "a relative include", { ["engine/base/slice.c"] = SPDX .. '#include "slice.h"\n' }, "includes name their room: slice.h" },
    { "back rooms that meet", { ["engine/view/sqlite/a.h"] = SPDX .. '#include "store/sqlite/b.h"\n', ["engine/store/sqlite/b.h"] = SPDX },
        "the room view/sqlite may not include store/sqlite/b.h" },
    { "a circle", { ["engine/base/a.h"] = SPDX .. '#include "base/b.h"\n', ["engine/base/b.h"] = SPDX .. '#include "base/a.h"\n' },
        "a circle of includes: engine/base/a.h -> engine/base/b.h -> engine/base/a.h" },
    { "a file that is not there", { ["engine/base/a.h"] = SPDX .. '#include "base/gone.h"\n' }, "no such file: base/gone.h" },
    { "a link upwards", { ["engine/base/CMakeLists.txt"] = "room(base FILES slice.c ROOMS core)\n" },
        "the room base may not be linked with core" },
    { "a long function", { ["engine/base/slice.c"] = long_function("") }, "slice_size has 84 lines, at most 70" },
    { "a long table", { ["engine/base/slice.c"] = long_function("\t/* house: long table */\n") } },
    { "a long file", { ["engine/base/slice.c"] = SPDX .. ("int x;\n"):rep(600) }, "601 lines, at most 600" },
    { "a long header", { ["engine/base/slice.h"] = SPDX .. ("int x;\n"):rep(250) }, "251 lines, at most 250" },
    { "no licence", { ["engine/base/slice.c"] = "int x;\n" }, "the first line names the licence" },
    { "a wide line", { ["engine/base/slice.c"] = SPDX .. "\t/* " .. ("x"):rep(120) .. " */\n" }, "wider than 120 columns" },
    { "a blank at the end", { ["engine/base/slice.c"] = SPDX .. "int x; \n" }, "blank at the end of the line" },
    { "a library's name", { ["engine/base/slice.c"] = SPDX .. "int\nevent_new(void)\n{\n\treturn 0;\n}\n" },
        "event_new: names beginning with event_ belong to a library" },
    { "a typedef", { ["engine/base/slice.c"] = SPDX .. "typedef struct slice slice_t;\n" }, "typedef of a struct" },
    { "a plan", { ["engine/base/slice.c"] = SPDX .. "/* TO" .. "DO: all */\n" }, "does not belong here" },
    { "an unknown invariant", { ["engine/base/slice.c"] = SPDX .. "/* [I12] */\n" }, "there is no [I12]" },
    { "a promise without test", { ["engine/core/a.c"] = SPDX, ["engine/core/README.md"] = "a\n" }, "no test cites [I8]" },
    { "a room without README", { ["engine/model/a.c"] = SPDX }, "the room has no README.md" },
    { "a README with a gap", { ["engine/base/other.c"] = SPDX }, "does not name other.c" },
    { "an unformatted file", { ["engine/base/slice.c"] = SPDX .. "int   slice( void );\n" }, "not formatted", "14" },
    { "an empty tree", false, "saw no includes" },
}

local function write(root, files)
    for path, text in pairs(files) do
        os.execute("mkdir -p " .. tree.quoted(root .. "/" .. path:match("^(.*)/")))
        local file = assert(io.open(root .. "/" .. path, "w"))
        file:write(text)
        file:close()
    end
    os.execute("cp " .. tree.quoted(folder .. "/../../.clang-format") .. " " .. tree.quoted(root))
end

local formatter = table.concat((tree.lines_of("clang-format --version 2>/dev/null"))):match("version (%d+)")
local failed, passed = 0, 0
for _, case in ipairs(cases) do
    local root = os.tmpname()
    os.remove(root)
    os.execute("mkdir " .. tree.quoted(root))
    write(root, case[2] and with(case[2]) or {})
    local lines, ok = tree.lines_of("LC_ALL=C lua5.4 " .. tree.quoted(folder .. "/house.lua") .. " " .. tree.quoted(root) .. " 2>&1")
    local said = table.concat(lines, "\n")
    local wanted = case[3]
    local fine = wanted and not ok and said:find(wanted, 1, true) or not wanted and ok
    if case[4] and formatter ~= case[4] then
        fine = true
    end
    if fine then
        passed = passed + 1
    else
        failed = failed + 1
        print("FAILED " .. case[1] .. ": wanted " .. (wanted or "no report") .. ", got\n" .. said)
    end
    os.execute("rm -rf " .. tree.quoted(root))
end
print(passed .. " passed, " .. failed .. " failed")
os.exit(failed == 0 and passed > 0)
