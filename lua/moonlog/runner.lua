-- SPDX-License-Identifier: MIT
-- Runs busted inside the engine's process: its options as on its own command line, its exit as a value.

local core, texts, arguments, folders = ...

local exit_mark = {}
os.exit = function(code)
    error(setmetatable({ mark = exit_mark, code = code == true and 0 or code == false and 1 or code or 0 },
                       { __tostring = function() return "os.exit in a spec" end }))
end

local function chunk(name) return assert(load(texts[name], "@moonlog/" .. name .. ".lua", "t")) end

if not pcall(require, "busted.core") then
    io.stderr:write("moonlog test: busted for Lua 5.4 is not installed (Debian: apt-get install lua-busted)\n")
    return 3
end

package.preload["busted.outputHandlers.moonlog"] = chunk "output"
package.preload["busted.outputHandlers.plain"] = package.preload["busted.outputHandlers.moonlog"]

-- A text that terminals and XML take: no control characters, UTF-8.
local function shown(text)
    local function number(byte) return ("\\%03d"):format(byte:byte()) end
    text = text:gsub("[%z\1-\8\11-\31\127]", number)
    return utf8.len(text) and text or (text:gsub("[\128-\255]", number))
end

-- What is raised inside the words of specs - what a spec gave them is not as they take it - is told at the spec's line.
local make = require "busted.core"
package.loaded["busted.core"] = function()
    local busted = make()
    local rewrite = busted.rewriteMessage
    function busted.rewriteMessage(element, message, trace)
        local text = shown(rewrite(element, message, trace):gsub("^moonlog test:%d+: ", "")) -- no memory has no line
        local reason = text:match "^moonlog/[%w_]+%.lua:%d+: (.*)$"
        for line in (reason and trace and trace.traceback or ""):gmatch "[^\n]+" do
            local at = line:match "^%s+([^%[].-:%d+): in "
            if at and not at:find "^moonlog/" then return at .. ": " .. reason end
        end
        return text
    end
    return busted
end

-- Every output handler is made of the base handler, which counts: what ran is asked of it, whatever the output.
local base, counters = require "busted.outputHandlers.base", {}
package.loaded["busted.outputHandlers.base"] = function()
    counters[#counters + 1] = base()
    return counters[#counters]
end

local function count_run()
    local count = 0
    for _, each in ipairs(counters) do
        count = count + each.successesCount + each.pendingsCount + each.failuresCount + each.errorsCount
    end
    return count
end

-- A document is all that goes to standard output: what specs print goes beside it.
local function keep_for_document()
    local out, write = io.stdout, io.write
    io.write = function(...) return out:write(...) end
    require "busted.outputHandlers.junit"
    io.write = write
    io.output(io.stderr)
    io.stdout = io.stderr
    _G.print = function(...)
        local words = table.pack(...)
        for i = 1, words.n do words[i] = tostring(words[i]) end
        io.stderr:write(table.concat(words, "\t"), "\n")
    end
end
for i, text in ipairs(arguments) do
    if text == "--output=junit" or text == "--output" and arguments[i + 1] == "junit" then keep_for_document() end
end

-- Helpers of specs are found from wherever these are run: require "spec.helper".
for i = #folders, 1, -1 do
    package.path = folders[i]:gsub("/spec$", "") .. "/?.lua;" .. package.path
end

-- The options that choose specs by their names or tags, as text, "" when there are none; nil: nothing is to be run.
local function choice()
    local chosen = {}
    for i, text in ipairs(arguments) do
        if text == "--list" or text == "-l" then return nil end
        if text:find "^%-%-filter" or text:find "^%-%-name" or text:find "^%-%-tags" or text:find "^%-t" then
            chosen[#chosen + 1] = text:find "=" and text or text .. " " .. (arguments[i + 1] or "")
        end
    end
    return table.concat(chosen, " ")
end

arg = { [0] = "moonlog test" }
for _, text in ipairs { "--pattern=%.lua$", "--sort-files" } do arg[#arg + 1] = text end
for _, text in ipairs(arguments) do arg[#arg + 1] = text end
for _, text in ipairs(folders) do arg[#arg + 1] = text end

-- The words need busted's core, which the runner makes: they are there when a spec file is run.
local words
_G.moonlog = setmetatable({}, {
    __index = function(_, key)
        words = words or chunk "kit" (core, function(name, ...) return chunk(name)(...) end)
        return words[key]
    end,
})

local ok, result = xpcall(function()
    require "busted.runner" { standalone = false, output = "moonlog" }
    return 0
end, function(raised)
    if type(raised) == "table" and raised.mark == exit_mark then return raised end
    return debug.traceback(tostring(raised), 2)
end)
if ok or (type(result) == "table" and result.code == 0) then
    local chosen = choice()
    if not chosen or count_run() > 0 then return 0 end
    io.stderr:write("moonlog test: ", chosen ~= "" and "no spec is chosen by " .. chosen or "no spec was run", "\n")
    return 1
end
if type(result) == "table" then return 1 end
io.stderr:write("moonlog test: ", result, "\n")
return 2
