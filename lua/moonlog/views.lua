-- SPDX-License-Identifier: MIT
-- The words of specs for read models: what rows a projection gives, what a query answers.

local core, tools = ...
local fail, pretty, difference = tools.fail, tools.pretty, tools.difference
local describe, prepare = tools.describe, tools.prepare

-- Numbers by value alone, for what left in decimals.
local function loosely(expected, got)
    if type(expected) ~= type(got) then return false end
    if type(expected) ~= "table" then return expected == got end
    for key, value in pairs(expected) do if not loosely(value, got[key]) then return false end end
    for key in pairs(got) do if expected[key] == nil then return false end end
    return true
end

-- ---- projections ----

local Rows = {}
Rows.__index = Rows

local function table_rows(self, name)
    if self.result.kind == "error" then
        fail("the projection failed: %s (%s)", self.result.message, self.result.code)
    end
    local rows = self.result.tables[name]
    if rows == nil then error("the projection has no table '" .. tostring(name) .. "'", 3) end
    return rows
end

-- A key of one column may be given by its value, as in handlers; a column that the table lacks would match no row.
local function row_of(self, name, key)
    local rows, columns = table_rows(self, name), self.result.columns[name]
    if type(key) ~= "table" then
        if #columns.key ~= 1 then error("the key of " .. name .. " is a table of " .. #columns.key .. " columns", 3) end
        key = { [columns.key[1]] = key }
    end
    for column in pairs(key) do
        if not columns.all[column] then error(name .. " has no column '" .. tostring(column) .. "'", 3) end
    end
    for _, row in ipairs(rows) do
        local match = true
        for column, value in pairs(key) do match = match and row[column] == value end
        if match then return row end
    end
end

local function sorted_texts(rows)
    local texts = {}
    for i, row in ipairs(rows) do texts[i] = core.encode(row) end
    table.sort(texts)
    return table.concat(texts, "\n")
end

function Rows:expect_rows(name, rows)
    local got = table_rows(self, name)
    if sorted_texts(rows) ~= sorted_texts(got) then fail(difference("rows of " .. name, rows, got)) end
    return self
end

function Rows:expect_count(name, count)
    local got = #table_rows(self, name)
    if got ~= count then fail("%s has %d rows, expected %d", name, got, count) end
    return self
end

function Rows:expect_row(name, key, fields)
    local found = row_of(self, name, key)
    if found == nil then fail("%s has no row %s", name, pretty(key)) end
    for column, value in pairs(fields) do
        if core.encode(value) ~= (found[column] ~= nil and core.encode(found[column]) or "null") then
            fail(difference("fields of the row in " .. name, fields, found))
        end
    end
    return self
end

function Rows:expect_no_row(name, key)
    if row_of(self, name, key) then fail("%s has a row %s", name, pretty(key)) end
    return self
end

function Rows:expect_error(code)
    if self.result.kind ~= "error" then fail "the projection did not fail" end
    if code ~= nil and self.result.code ~= code then
        fail("failed with '%s' (%s), expected '%s'", self.result.code, self.result.message, code)
    end
    return self
end

local Projection = {}
Projection.__index = Projection

function Projection:given(events)
    local asked = { domain = self.domain, projection = self.name, events = prepare(events), at = self.time }
    return setmetatable({ result = core.project(asked), asked = asked }, Rows)
end

-- Messages of the topics that feed it: { type, data, key?, subject?, ... }
function Projection:given_messages(messages)
    local list = {}
    for i, message in ipairs(messages) do list[i] = tools.message_of(message, self.time) end
    local asked = { domain = self.domain, projection = self.name, events = {}, messages = list, at = self.time }
    return setmetatable({ result = core.project(asked), asked = asked }, Rows)
end

function Projection:at(time)
    return setmetatable({ domain = self.domain, name = self.name, time = time }, Projection)
end

-- ---- queries ----

local Query = {}
Query.__index = Query

function Query:given(events)
    return setmetatable({ domain = self.domain, name = self.name, events = prepare(events), messages = self.messages,
                          time = self.time }, Query)
end

-- What feeds the domain's projections by topics.
function Query:given_messages(messages)
    local list = {}
    for i, message in ipairs(messages) do list[i] = tools.message_of(message, self.time) end
    return setmetatable({ domain = self.domain, name = self.name, events = self.events, messages = list,
                          time = self.time }, Query)
end

function Query:at(time)
    self.time = time
    return self
end

function Query:with(params)
    self.params = {}
    for name, value in pairs(params) do
        self.params[#self.params + 1] = { name = name, value = type(value) == "string" and value or core.encode(value) }
    end
    table.sort(self.params, function(a, b) return a.name < b.name end)
    return self
end

local function run(query)
    return core.query { domain = query.domain, query = query.name, events = query.events or {},
                        messages = query.messages, params = query.params or {}, at = query.time }
end

-- Numbers are compared by value: money left as decimals.
function Query:expect(answer)
    local got = run(self)
    if got.kind ~= "accepted" then fail("the query %s", describe(got)) end
    local value = core.decode(got.reply)
    if not loosely(answer, value) then fail(difference("answers", answer, value)) end
    return self
end

function Query:expect_refusal(code)
    local got = run(self)
    if got.kind ~= "refused" then fail("the query %s", describe(got)) end
    if code ~= nil and got.code ~= code then fail("refused by '%s', expected '%s'", got.code, code) end
    return self
end

function Query:expect_error(code)
    local got = run(self)
    if got.kind ~= "error" then fail("the query %s", describe(got)) end
    if code ~= nil and got.code ~= code and not (code == "bad_input" and got.class == "input") then
        fail("failed with '%s' (%s), expected '%s'", got.code, got.message, code)
    end
    return self
end

return { Projection = Projection, Query = Query, Rows = Rows }
