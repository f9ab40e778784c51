-- SPDX-License-Identifier: MIT
-- Reading a source tree: which files there are, their lines, what they include, where their functions begin and end.

local tree = {}

local function lines_of(command)
    local pipe = assert(io.popen(command, "r"))
    local lines = {}
    for line in pipe:lines() do
        lines[#lines + 1] = line
    end
    local ok = pipe:close()
    return lines, ok
end
tree.lines_of = lines_of

local function quoted(text)
    return "'" .. text:gsub("'", "'\\''") .. "'"
end
tree.quoted = quoted

-- The files below the folders that make up the repository, as paths from its root, sorted. Builds are not looked into.
function tree.files(root)
    return (lines_of("cd " .. quoted(root) .. " && find . -type f -not -path './.git/*' -not -path './build/*'"
        .. " -not -path './tests/fuzz/found/*' -not -name '*.pyc' | sed 's|^\\./||' | LC_ALL=C sort"))
end

function tree.read(root, path)
    local file = assert(io.open(root .. "/" .. path, "rb"))
    local text = file:read("a")
    file:close()
    return text
end

function tree.split(text)
    local lines = {}
    for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("(.-)\n") do
        lines[#lines + 1] = line
    end
    return lines
end

-- Every #include: { line =, name =, own = true for "...", false for <...> }
function tree.includes(lines)
    local found = {}
    for number, line in ipairs(lines) do
        local open, name = line:match('^%s*#%s*include%s*([<"])([^>"]+)[>"]')
        if name then
            found[#found + 1] = { line = number, name = name, own = open == '"' }
        elseif line:match("^%s*#%s*include%s") then
            found[#found + 1] = { line = number, name = line, own = true, odd = true }
        end
    end
    return found
end

-- Functions of C files by ctags: { path =, name =, first =, last = }
function tree.functions(root, paths)
    local list = os.tmpname()
    local file = assert(io.open(list, "w"))
    file:write(table.concat(paths, "\n"), "\n")
    file:close()
    local found = {}
    local lines = lines_of("cd " .. quoted(root) .. " && ctags --languages=C --map-C=+.h --kinds-C=f --fields=ne"
        .. " --sort=no -f - -L " .. list .. " 2>/dev/null")
    for _, line in ipairs(lines) do
        local name, path = line:match("^([^\t]+)\t([^\t]+)\t")
        local first, last = line:match("\tline:(%d+)"), line:match("\tend:(%d+)")
        if name and first and last then
            found[#found + 1] = { path = path, name = name, first = tonumber(first), last = tonumber(last) }
        end
    end
    os.remove(list)
    return found
end

-- Columns of a line with tabs of eight, counting UTF-8 sequences as one.
function tree.width(line)
    local width = 0
    for char in line:gmatch("[\0-\x7f\xc2-\xf4][\x80-\xbf]*") do
        width = char == "\t" and width + 8 - width % 8 or width + 1
    end
    return width
end

return tree
