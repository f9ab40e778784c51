-- SPDX-License-Identifier: MIT
-- The house test: reads the whole tree and reports what breaks a rule of docs/STYLE.md, as path:line: reason.
-- Usage: lua5.4 house.lua ROOT. Exits 1 on any report, and when it saw nothing: a check that looks at nothing never
-- passes.

local folder = arg[0]:match("^(.*)/") or "."
package.path = folder .. "/?.lua;" .. package.path
local rules = require "rules"
local tree = require "tree"

local root = arg[1] or "."
local reports, notes = {}, {}
local house = { root = root, files = tree.files(root), text = {}, lines = {}, rooms = {}, counts = {} }

function house.report(path, line, reason)
    reports[#reports + 1] = ("%s:%d: %s"):format(path, line, reason)
end

function house.note(text)
    notes[#notes + 1] = text
end

function house.count(what, by)
    house.counts[what] = (house.counts[what] or 0) + (by or 1)
end

for _, path in ipairs(house.files) do
    house.text[path] = tree.read(root, path)
    house.lines[path] = tree.split(house.text[path])
    local room = path:match("^engine/(.+)/[^/]+%.c$")
    if room then
        house.rooms[room] = true
    end
end

local ORDER = { "floors", "circles", "links", "sizes", "form", "names", "words", "invariants", "readmes", "format" }
for _, name in ipairs(ORDER) do
    local before = #reports
    rules[name](house)
    print(("%-10s %s"):format(name, #reports == before and "ok" or #reports - before .. " faults"))
end

for _, what in ipairs { "includes", "links", "functions", "sources", "citations" } do
    if not house.counts[what] then
        house.report("tests/house", 0, "saw no " .. what .. ": the check itself is broken (is ctags installed?)")
    end
end

for _, text in ipairs(notes) do
    print(text)
end
table.sort(reports)
for _, text in ipairs(reports) do
    io.stderr:write(text, "\n")
end
print(("%d files, %d includes, %d functions, %d citations checked: %d faults"):format(#house.files,
    house.counts.includes or 0, house.counts.functions or 0, house.counts.citations or 0, #reports))
os.exit(#reports == 0)
