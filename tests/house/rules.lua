-- SPDX-License-Identifier: MIT
-- Each rule takes the house (root, files, text, lines, report) and reports path, line and what is wrong.

local floors = require "floors"
local tree = require "tree"

local rules = {}

local FILE_LINES, HEADER_LINES, DOOR_LINES, SUITE_LINES = 600, 250, 350, 900
local FUNCTION_LINES, LUA_LINES, README_LINES, COLUMNS = 70, 400, 60, 120

-- A door's header is the whole manual of what stands behind it.
local DOORS = {
    ["engine/store/store.h"] = true, ["engine/view/view.h"] = true, ["engine/script/script.h"] = true,
    ["engine/core/engine.h"] = true, ["include/moonlog/moonlog.h"] = true,
}

local function room_of(path)
    local inside = path:match("^engine/(.+)/[^/]+$")
    if not inside and path:match("^include/moonlog/") then
        return "moonlog"
    end
    return inside
end

local function is_c(path)
    return path:match("%.[ch]$") ~= nil
end

-- Code of the product and of its tests, which the rules of form bind alike.
local function is_source(path)
    return is_c(path) and (path:match("^engine/") or path:match("^include/") or path:match("^tests/")
        or path:match("^examples/"))
end

local function may_include(room, name)
    local target = name:match("^(.+)/[^/]+$")
    if target == room then
        return true
    end
    for _, allowed in ipairs(floors.rooms[room]) do
        if allowed == target or allowed == name then
            return true
        end
    end
    return false
end

local function check_library(house, path, include)
    local inside = path:gsub("^engine/", "")
    for _, library in ipairs(floors.libraries) do
        if include.name:match(library[1]) then
            for i = 2, #library do
                if inside:sub(1, #library[i]) == library[i] then
                    return
                end
            end
            return house.report(path, include.line, "<" .. include.name .. "> belongs to another room")
        end
    end
    if floors.system[include.name] then
        return
    end
    for _, folder in ipairs(floors.system_folders) do
        if include.name:match(folder) then
            return
        end
    end
    house.report(path, include.line, "<" .. include.name .. "> is no header of the C library, nor of a room's library")
end

function rules.floors(house)
    for _, path in ipairs(house.files) do
        local room = is_c(path) and room_of(path)
        if room and not floors.rooms[room] then
            house.report(path, 1, "the room " .. room .. " has no place in tests/house/floors.lua")
        elseif room then
            for _, include in ipairs(tree.includes(house.lines[path])) do
                house.count("includes")
                if include.odd or (include.own and not include.name:match("/")) or include.name:match("%.%.") then
                    house.report(path, include.line, "includes name their room: " .. include.name)
                elseif not include.own then
                    check_library(house, path, include)
                elseif not may_include(room, include.name) then
                    house.report(path, include.line, "the room " .. room .. " may not include " .. include.name)
                end
            end
        end
    end
end

-- Where "..." leads: engine/ and include/ are on the path, tests/ for tests.
local function resolve(house, path, name)
    local beside = path:match("^(.*/)") or ""
    for _, start in ipairs { "engine/", "include/", "tests/", beside } do
        if house.text[start .. name] then
            return start .. name
        end
    end
end

function rules.circles(house)
    local state, trail = {}, {}
    local function visit(path)
        if state[path] == "done" then
            return
        end
        trail[#trail + 1] = path
        if state[path] == "open" then
            local from = 1
            while trail[from] ~= path do
                from = from + 1
            end
            house.report(path, 1, "a circle of includes: " .. table.concat(trail, " -> ", from))
        else
            state[path] = "open"
            for _, include in ipairs(tree.includes(house.lines[path])) do
                local target = include.own and resolve(house, path, include.name)
                if target then
                    visit(target)
                elseif include.own then
                    house.report(path, include.line, "no such file: " .. include.name)
                end
            end
            state[path] = "done"
        end
        trail[#trail] = nil
    end
    for _, path in ipairs(house.files) do
        if is_source(path) then
            visit(path)
        end
    end
end

-- CMake links each room with no more than the floors allow.
function rules.links(house)
    for _, path in ipairs(house.files) do
        if path:match("^engine/.*CMakeLists%.txt$") and not path:match("^engine/daemon/") then
            local room = room_of(path)
            for call in house.text[path]:gmatch("room(%b())") do
                house.count("links")
                local rooms = call:match("ROOMS%s+([%w_%s]*)") or ""
                for name in rooms:gsub("LIBS.*", ""):gmatch("[%w_]+") do
                    local target = name:gsub("^(%l+)_", "%1/")
                    if floors.rooms[target] and not may_include(room, target .. "/x")
                        and not (room == "http" and target == "core") then
                        house.report(path, 1, "the room " .. room .. " may not be linked with " .. name)
                    end
                end
            end
        end
    end
end

local function marked(lines, first, last)
    for number = math.max(first, 1), math.min(last, #lines) do
        if lines[number]:match("/%* house: long ") then
            return true
        end
    end
    return false
end

local function lines_allowed(path)
    if path:match("^tests/") then
        return SUITE_LINES
    end
    return DOORS[path] and DOOR_LINES or path:match("%.h$") and HEADER_LINES or FILE_LINES
end

function rules.sizes(house)
    local paths, largest = {}, {}
    for _, path in ipairs(house.files) do
        local lines = house.lines[path]
        if is_source(path) then
            paths[#paths + 1] = path
            local most = lines_allowed(path)
            if #lines > most and not marked(lines, 1, #lines) then
                house.report(path, #lines, #lines .. " lines, at most " .. most)
            end
        elseif path:match("%.lua$") and #lines > LUA_LINES then
            house.report(path, #lines, #lines .. " lines, at most " .. LUA_LINES)
        end
    end
    for _, func in ipairs(tree.functions(house.root, paths)) do
        house.count("functions")
        local size = func.last - func.first + 1
        largest[#largest + 1] = { size = size, func = func }
        if size > FUNCTION_LINES and not marked(house.lines[func.path], func.first - 2, func.last) then
            house.report(func.path, func.first, func.name .. " has " .. size .. " lines, at most " .. FUNCTION_LINES)
        end
    end
    table.sort(largest, function(a, b)
        return a.size > b.size
    end)
    for i = 1, math.min(10, #largest) do
        local func = largest[i].func
        house.note(("%4d lines  %s:%d %s"):format(largest[i].size, func.path, func.first, func.name))
    end
end

local SPDX = "SPDX%-License%-Identifier: MIT"

function rules.form(house)
    for _, path in ipairs(house.files) do
        local lines = house.lines[path]
        local code = is_source(path) or path:match("%.lua$") or path:match("%.sh$") or path:match("%.py$")
        if code then
            house.count("sources")
            local first = (lines[1] or ""):match("^#!") and 2 or 1
            if not (lines[first] or ""):match(SPDX) then
                house.report(path, first, "the first line names the licence: SPDX-License-Identifier: MIT")
            end
            for number, line in ipairs(lines) do
                if line:match("%s$") then
                    house.report(path, number, "blank at the end of the line")
                elseif #line > COLUMNS / 2 and tree.width(line) > COLUMNS and not line:match("https?://")
                    and not line:match('"') then
                    house.report(path, number, "wider than " .. COLUMNS .. " columns")
                end
            end
        end
    end
end

-- Names that would meet those of libraries, and structs behind typedefs.
function rules.names(house)
    for _, path in ipairs(house.files) do
        if is_c(path) and path:match("^engine/") then
            for number, line in ipairs(house.lines[path]) do
                local name = line:match("^([%a_][%w_]*)%(")
                for _, taken in ipairs { "event_", "evbuffer_", "evhttp_", "bson_", "mongoc_", "PQ", "rd_", "lua_", "luaL_" } do
                    if name and name:sub(1, #taken) == taken then
                        house.report(path, number, name .. ": names beginning with " .. taken .. " belong to a library")
                    end
                end
                if line:match("^struct event%s") or line:match("^%s*typedef%s+struct") then
                    house.report(path, number, "neither a struct named event nor a typedef of a struct")
                end
            end
        end
    end
end

local function is_text(path)
    return is_source(path) or path:match("%.md$") or path:match("%.lua$") or path:match("%.sh$") or path:match("%.py$")
        or path:match("%.txt$") or path:match("%.cmake$") or path:match("%.json$") or path:match("%.1$")
        or path:match("^%.ci/")
end

-- Written in two pieces, so that this file does not break its own rule.
local WORDS = { "%f[%w]TO" .. "DO%f[%W]", "%f[%w]FIX" .. "ME%f[%W]", "%f[%w]XX" .. "X%f[%W]", "%f[%w/]/wo" .. "rk/" }
local LOWER_WORDS = { "clau" .. "de", "anthro" .. "pic", "open" .. "ai", "chat" .. "gpt", "copi" .. "lot" }

function rules.words(house)
    for _, path in ipairs(house.files) do
        if is_text(path) then
            for number, line in ipairs(house.lines[path]) do
                local lower = line:lower()
                for _, word in ipairs(WORDS) do
                    if line:find(word) then
                        house.report(path, number, "the word " .. line:match(word) .. " does not belong here")
                    end
                end
                for _, word in ipairs(LOWER_WORDS) do
                    if lower:find(word, 1, true) then
                        house.report(path, number, "the word " .. word .. " does not belong here")
                    end
                end
                for before in lower:gmatch("(.?.?.?.?.?)%f[%a]" .. "age" .. "nts?%f[%A]") do
                    if not before:match("user.$") then
                        house.report(path, number, "who wrote a thing does not belong here")
                    end
                end
            end
        end
    end
end

-- Citations of [I3] name an invariant that exists, and a promise whose room stands has a test.
function rules.invariants(house)
    local tested = {}
    for _, path in ipairs(house.files) do
        if is_text(path) and not path:match("^tests/house/") then
            for number, line in ipairs(house.lines[path]) do
                for digits in line:gmatch("%[I(%d+)%]") do
                    house.count("citations")
                    local which = tonumber(digits)
                    if which < 1 or which > 11 then
                        house.report(path, number, "there is no [I" .. digits .. "]")
                    elseif path:match("^tests/") then
                        tested[which] = true
                    end
                end
            end
        end
    end
    local needs = {
        [1] = "store/sqlite", [2] = "store/sqlite", [3] = "store/sqlite", [4] = "store/sqlite", [5] = "store/sqlite",
        [6] = "view/sqlite", [7] = "script/lua", [8] = "core",
    }
    for which = 1, 8 do
        if house.rooms[needs[which]] and not tested[which] then
            house.report("tests", 0, "no test cites [I" .. which .. "]")
        end
    end
end

-- Every room tells what it is and names its files.
function rules.readmes(house)
    for room in pairs(house.rooms) do
        local readme = "engine/" .. room .. "/README.md"
        local text = house.text[readme]
        if not text then
            house.report("engine/" .. room, 0, "the room has no README.md")
        else
            if #house.lines[readme] > README_LINES then
                house.report(readme, README_LINES, "more than " .. README_LINES .. " lines")
            end
            for _, path in ipairs(house.files) do
                local stem = room_of(path) == room and path:match("([^/]+)%.c$")
                if stem and not text:find(stem, 1, true) then
                    house.report(readme, 0, "does not name " .. stem .. ".c")
                end
            end
        end
    end
end

function rules.format(house)
    local version = table.concat(tree.lines_of("clang-format --version 2>/dev/null"), " ")
    local major = version:match("version (%d+)")
    if major ~= "14" then
        local reason = major and "clang-format " .. major .. " formats otherwise than 14" or "no clang-format"
        if os.getenv("CI") == "true" then
            house.report(".clang-format", 0, reason)
        end
        return house.note("formatting not checked: " .. reason)
    end
    local paths = {}
    for _, path in ipairs(house.files) do
        if is_source(path) then
            paths[#paths + 1] = tree.quoted(path)
        end
    end
    local lines = tree.lines_of("cd " .. tree.quoted(house.root) .. " && clang-format --dry-run -Werror "
        .. table.concat(paths, " ") .. " 2>&1")
    local seen = {}
    for _, line in ipairs(lines) do
        local path, number = line:match("^([^:]+):(%d+):%d+: error: code should be clang%-formatted")
        if path and not seen[path] then
            seen[path] = true
            house.report(path, tonumber(number), "not formatted: clang-format -i " .. path)
        end
    end
    house.count("formatted", #paths)
end

return rules
