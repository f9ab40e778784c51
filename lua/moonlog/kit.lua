-- SPDX-License-Identifier: MIT
-- The words of specs: moonlog.aggregate, moonlog.projection, moonlog.query. Everything is run by the engine's own
-- script room (`core`): rules are loaded through the sandbox, input and results pass their schemas, events are folded
-- from their bytes. Nothing of a domain is reimplemented here.

local core, load_part = ...
local busted = require "busted"

local DEFAULT_ID = "1"
local DEFAULT_TIME = "2026-01-01T00:00:00Z"
-- of an event that is given
local FIELDS = { type = true, data = true, version = true, stream = true, json = true, at = true }

-- The line of the spec that calls one of our words, however deep inside them we are.
local function place()
    local level = 2
    local info = debug.getinfo(level, "Sl")
    while info and (info.what == "C" or info.short_src:find "^moonlog/") do
        level = level + 1
        info = debug.getinfo(level, "Sl")
    end
    return info and ("%s:%d: "):format(info.short_src, info.currentline) or ""
end

local function fail(text, ...)
    busted.fail(place() .. (select("#", ...) > 0 and text:format(...) or text), 0)
end

-- What the words of other files use, too.
local tools = { fail = fail }

-- ---- values, compared as JSON: 1 and 1.0 are two things, order of keys is none ----

local function pretty(value, indent)
    indent = indent or ""
    if type(value) ~= "table" then return core.encode(value) end
    local inner, parts = indent .. "  ", {}
    if core.is_array(value) or #value > 0 then
        for i, item in ipairs(value) do parts[i] = inner .. pretty(item, inner) end
        if #parts == 0 then return "[]" end
        return "[\n" .. table.concat(parts, ",\n") .. "\n" .. indent .. "]"
    end
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    table.sort(keys)
    for i, key in ipairs(keys) do parts[i] = inner .. key .. " = " .. pretty(value[key], inner) end
    if #parts == 0 then return "{}" end
    return "{\n" .. table.concat(parts, ",\n") .. "\n" .. indent .. "}"
end

-- An empty Lua table may be an empty list or an empty object.
local function text_of(value, like)
    if type(value) == "table" and next(value) == nil and like == "[]" then return "[]" end
    return core.encode(value)
end

-- A text may stand for what Lua cannot say: null, an empty list.
local function same(expected, got_text)
    if type(expected) == "string" and got_text:find "^[{%[]" then
        return core.encode(core.decode(expected)) == got_text
    end
    return text_of(expected, got_text) == got_text
end

local function difference(what, expected, got)
    return ("%s differ\nexpected: %s\ngot:      %s"):format(what, pretty(expected), pretty(got))
end

-- ---- names and events ----

local function split(name, what)
    local domain, rest = name:match "^([%w_]+)%.([%w_]+)$"
    if not domain then
        domain, rest = core.domains()[1], name
        if #core.domains() > 1 then error(what .. " wants \"domain." .. name .. "\": several domains are loaded", 3) end
    end
    return domain, rest
end

-- { type, data, version?, stream? } -> what core takes.
local function prepare(events, stream, time)
    local list = {}
    for i, event in ipairs(events) do
        if type(event) ~= "table" or type(event.type) ~= "string" then error("event " .. i .. " has no type", 4) end
        for key in pairs(event) do
            if not FIELDS[key] then
                error("event " .. i .. " has a field '" .. tostring(key) .. "'", 4)
            end
        end
        list[i] = { type = event.type, data = event.json or core.encode(event.data or {}), schema = event.version or 0,
                    stream = event.stream or stream, at = event.at or time }
    end
    return list
end

local function append(list, more)
    for _, item in ipairs(more) do list[#list + 1] = item end
    return list
end

-- ---- results of a command ----

local Result = {}
Result.__index = Result

local function describe(result)
    if result.kind == "error" then return ("failed: %s (%s)"):format(result.message, result.code) end
    if result.kind == "refused" then return ("was refused: %s (%s)"):format(result.code, result.message) end
    return "was accepted"
end

local function own_events(result)
    local events = {}
    for _, entry in ipairs(result.entries) do
        if entry.kind == "event" then events[#events + 1] = entry end
    end
    return events
end

local function shown_events(result)
    local shown = {}
    for i, entry in ipairs(own_events(result)) do
        shown[i] = { type = entry.type, data = core.decode(entry.data),
                     stream = entry.id ~= result.id and entry.id or nil }
    end
    return shown
end

local function must_be(result, kind)
    if result.kind ~= kind then fail("the command %s", describe(result)) end
end

-- The whole list: types and data; `stream = id` may name another stream's.
function Result:expect(events)
    must_be(self, "accepted")
    local got = shown_events(self)
    local matches = #got == #events
    for i, event in ipairs(events) do
        matches = matches and got[i].type == event.type
            and same(event.data or {}, core.encode(got[i].data))
            and (event.stream == nil or event.stream == (got[i].stream or self.id))
    end
    if not matches then fail(difference("events", events, got)) end
    return self
end

function Result:expect_events(types)
    must_be(self, "accepted")
    local got = {}
    for i, event in ipairs(own_events(self)) do got[i] = event.type end
    if table.concat(got, " ") ~= table.concat(types, " ") then fail(difference("types of events", types, got)) end
    return self
end

function Result:expect_messages(messages)
    local got = {}
    for _, entry in ipairs(self.entries) do
        if entry.kind == "message" then
            got[#got + 1] = { type = entry.type, data = core.decode(entry.data), topic = entry.topic }
        end
    end
    local matches = #got == #messages
    for i, message in ipairs(messages) do
        matches = matches and got[i].type == message.type
            and (message.data == nil or same(message.data, core.encode(got[i].data)))
            and (message.topic == nil or message.topic == got[i].topic)
    end
    if not matches then fail(difference("messages", messages, got)) end
    return self
end

function Result:expect_reply(reply)
    must_be(self, "accepted")
    if not same(reply, self.reply or "{}") then
        fail(difference("replies", reply, core.decode(self.reply or "{}")))
    end
    return self
end

function Result:expect_state(state)
    if self.state == nil then fail("the command %s", describe(self)) end
    if not same(state, self.state) then fail(difference("states", state, core.decode(self.state))) end
    return self
end

function Result:expect_refusal(code)
    must_be(self, "refused")
    if code ~= nil and self.code ~= code then
        fail("refused by '%s' (%s), expected '%s'", self.code, self.message, code)
    end
    return self
end

function Result:expect_error(code)
    must_be(self, "error")
    if code ~= nil and self.code ~= code and not (code == "bad_input" and self.class == "input") then
        fail("failed with '%s' (%s), expected '%s'", self.code, self.message, code)
    end
    return self
end

function Result:expect_accepted()
    must_be(self, "accepted")
    return self
end

-- Timers that the command sets or cancels: { name, after? (seconds), at? (ISO 8601), data?, cancel? }
function Result:expect_timers(timers)
    tools.expect_timers(self.timers, timers, self.asked.at)
    return self
end

function Result:expect_reserved(name, key)
    for _, reservation in ipairs(self.reservations) do
        if reservation.name == name and reservation.key == key and not reservation.release then return self end
    end
    return fail("the command does not reserve %s '%s'", name, key)
end

-- ---- a stream's past, then a command ----

local Scenario = {}
Scenario.__index = Scenario

function Scenario:at(time)
    self.time = time
    return self
end

-- "90s", "15m", "1h", "2d", or seconds -> microseconds
local function span(amount)
    local number, unit = tostring(amount):match "^(%d+%.?%d*)([smhd]?)$"
    if not number then error("advance wants \"90s\", \"15m\", \"1h\", \"2d\" or seconds", 3) end
    local seconds = tonumber(number) * ({ s = 1, [""] = 1, m = 60, h = 3600, d = 86400 })[unit]
    return math.floor(seconds * 1000000)
end

-- The clock goes on.
function Scenario:advance(amount)
    self.time = core.shift { at = self.time, by = span(amount) }
    return self
end

-- Another chance: ctx:uuid and ctx:random follow from this number.
function Scenario:seed(number)
    self.chance = number
    return self
end

function Scenario:as(caller)
    self.caller = caller
    return self
end

function Scenario:when(command)
    if type(command) ~= "table" or type(command.type) ~= "string" then
        error("a command is { type = ..., data = ... }", 2)
    end
    local asked = {
        domain = self.domain, aggregate = self.aggregate, command = command.type, id = command.id or self.id,
        events = self.events, body = command.json or core.encode(command.data or {}), at = self.time,
        caller = self.caller or "", seed = self.chance,
    }
    local result = core.decide(asked)
    result.id, result.scenario, result.asked = command.id or self.id, self, asked
    return setmetatable(result, Result)
end

-- What the events before give, without a command.
function Scenario:expect_state(state)
    local got = core.state { domain = self.domain, aggregate = self.aggregate, id = self.id, events = self.events,
                             at = self.time }
    if got.kind == "error" then fail("the fold failed: %s (%s)", got.message, got.code) end
    if not same(state, got.state) then fail(difference("states", state, core.decode(got.state))) end
    return self
end

function Scenario:expect_error(code)
    local got = core.state { domain = self.domain, aggregate = self.aggregate, id = self.id, events = self.events,
                             at = self.time }
    if got.kind ~= "error" then fail "the fold did not fail" end
    if code ~= nil and got.code ~= code then
        fail("failed with '%s' (%s), expected '%s'", got.code, got.message, code)
    end
    return self
end

-- What the last command recorded is the past of a next one.
local function continued(self)
    must_be(self, "accepted")
    local before = self.scenario
    local events = append({}, before.events)
    for _, entry in ipairs(own_events(self)) do
        events[#events + 1] = { type = entry.type, data = entry.data, schema = 0,
                                stream = before.domain .. "." .. before.aggregate .. "/" .. entry.id,
                                at = before.time }
    end
    return setmetatable({ domain = before.domain, aggregate = before.aggregate, id = before.id, events = events,
                          time = before.time, caller = before.caller, chance = before.chance }, Scenario)
end

for _, word in ipairs { "when", "at", "advance", "as", "seed" } do
    Result[word] = function(self, ...)
        local scenario = continued(self)
        return scenario[word](scenario, ...)
    end
end

local Aggregate = {}
Aggregate.__index = Aggregate

local function scenario(aggregate, id, events)
    return setmetatable({ domain = aggregate.domain, aggregate = aggregate.name, id = id, events = events,
                          time = aggregate.time }, Scenario)
end

function Aggregate:at(time)
    return setmetatable({ domain = self.domain, name = self.name, time = time }, Aggregate)
end

function Aggregate:given(events)
    return scenario(self, DEFAULT_ID, prepare(events, self.domain .. "." .. self.name .. "/" .. DEFAULT_ID, self.time))
end

function Aggregate:given_streams(id, streams)
    local events, ids = {}, {}
    for name in pairs(streams) do ids[#ids + 1] = name end
    table.sort(ids)
    for _, name in ipairs(ids) do
        append(events, prepare(streams[name], self.domain .. "." .. self.name .. "/" .. name, self.time))
    end
    return scenario(self, id, events)
end

-- ---- the door ----

for name, tool in pairs {
    pretty = pretty, difference = difference, describe = describe, prepare = prepare, same = same, span = span,
    append = append,
} do tools[name] = tool end
local reactions = load_part("reactions", core, tools)
local views = load_part("views", core, tools)
local upcaster = load_part("upcaster", core, tools)
load_part("proofs", core, tools, Result, Scenario, views.Rows)

local function known(kind, domain, name)
    if not core.has(domain, kind, name) then
        error("no " .. kind .. " '" .. domain .. "." .. name .. "' is loaded", 3)
    end
end

return {
    aggregate = function(text)
        local domain, name = split(text, "moonlog.aggregate")
        known("aggregate", domain, name)
        return setmetatable({ domain = domain, name = name, time = DEFAULT_TIME }, Aggregate)
    end,
    projection = function(text)
        local domain, name = split(text, "moonlog.projection")
        known("projection", domain, name)
        return setmetatable({ domain = domain, name = name, time = DEFAULT_TIME }, views.Projection)
    end,
    query = function(text)
        local domain, name = split(text, "moonlog.query")
        known("query", domain, name)
        return setmetatable({ domain = domain, name = name, time = DEFAULT_TIME }, views.Query)
    end,
    reactor = function(text)
        local domain, name = split(text, "moonlog.reactor")
        known("reactor", domain, name)
        return reactions(domain, name, DEFAULT_TIME)
    end,
    process = function(text)
        local domain, name = split(text, "moonlog.process")
        known("reactor", domain, name)
        known("aggregate", domain, name)
        return reactions(domain, name, DEFAULT_TIME)
    end,
    upcaster = function(text)
        local domain, name = split(text, "moonlog.upcaster")
        known("aggregate", domain, name)
        return upcaster(domain, name, DEFAULT_TIME)
    end,
    json = { encode = core.encode, decode = core.decode, null = core.null },
}
