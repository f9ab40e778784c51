-- SPDX-License-Identifier: MIT
-- The words of specs for what reacts: reactors, process managers, timers. Time is virtual: `advance` fires what falls
-- due meanwhile, in the order of its due times, so that thirty days are milliseconds.

local core, tools = ...
local fail, difference, describe = tools.fail, tools.difference, tools.describe
local prepare, same = tools.prepare, tools.same

local EPOCH = "1970-01-01T00:00:00Z"
local FIRINGS_MAX = 10000 -- in one advance
local MESSAGE_FIELDS = { type = true, data = true, json = true, id = true, source = true, subject = true, topic = true,
                         key = true, at = true, correlation_id = true, stream_version = true }

local function text_of_time(micros) return core.shift { at = EPOCH, by = micros } end

-- ---- timers ----

local function shown_timers(timers)
    local shown = {}
    for i, timer in ipairs(timers) do
        shown[i] = timer.cancel and { name = timer.name, cancel = true }
            or { name = timer.name, at = text_of_time(timer.at), data = core.decode(timer.data) }
    end
    return shown
end

-- `expected`: { name, after? (seconds), at? (ISO 8601), data?, cancel? }; what is not said is not looked at.
function tools.expect_timers(timers, expected, now)
    local matches = #timers == #expected
    for i, timer in ipairs(expected) do
        local got = timers[i]
        if not matches or got == nil then break end
        local due = timer.at or (timer.after and core.shift { at = now, by = math.floor(timer.after * 1000000) })
        matches = got.name == timer.name and got.cancel == (timer.cancel == true)
            and (due == nil or core.micros { at = due } == got.at)
            and (timer.data == nil or same(timer.data, got.data))
    end
    if not matches then fail(difference("timers", expected, shown_timers(timers))) end
end

-- ---- a scenario: what was recorded, which timers are pending, what came of the last that was heard ----

local Reaction = {}
Reaction.__index = Reaction

local function copied(self)
    local copy = { pending = {}, entries = {}, timers = {}, refused = 0 }
    for _, field in ipairs { "domain", "name", "time", "chance", "own" } do copy[field] = self[field] end
    copy.events = tools.append({}, self.events)
    for key, timer in pairs(self.pending) do copy.pending[key] = timer end
    return setmetatable(copy, Reaction)
end

-- What was decided becomes the past of what comes next.
local function record(self, got)
    self.kind, self.code, self.message, self.class = got.kind, got.code, got.message, got.class
    self.retry_ms = got.retry_ms
    if got.kind ~= "accepted" then return end
    self.refused = self.refused + got.refused
    for _, name in ipairs(got.streams) do
        if name:find(self.domain .. "." .. self.name .. "/", 1, true) == 1 then self.own = name:match "/(.*)$" end
    end
    for _, entry in ipairs(got.entries) do
        self.entries[#self.entries + 1] = entry
        if entry.kind == "event" then
            self.events[#self.events + 1] = { type = entry.type, data = entry.data, schema = 0, stream = entry.stream,
                                              at = self.time }
        end
    end
    for _, timer in ipairs(got.timers) do
        self.timers[#self.timers + 1] = timer
        self.pending[timer.stream .. "#" .. timer.name] = not timer.cancel and timer or nil
    end
end

local function react(self, asked)
    asked.domain, asked.at, asked.seed = self.domain, self.time, self.chance
    asked.events = tools.append({}, self.events)
    self.asked = asked
    record(self, core.react(asked))
    return self
end

function Reaction:at(time)
    local copy = copied(self)
    copy.time = time
    return copy
end

function Reaction:seed(number)
    local copy = copied(self)
    copy.chance = number
    return copy
end

-- Events of any streams of the domain, each with its `stream`.
function Reaction:given(events)
    local copy = copied(self)
    tools.append(copy.events, prepare(events, nil, self.time))
    return copy
end

local function message_of(message, time)
    if type(message) ~= "table" or type(message.type) ~= "string" then
        error("a message is { type = ..., data = ... }", 3)
    end
    local taken = { at = time, topic = "topic", source = "/spec", id = "1" }
    for key, value in pairs(message) do
        if not MESSAGE_FIELDS[key] then error("a message has no field '" .. tostring(key) .. "'", 3) end
        if key ~= "data" and key ~= "json" then taken[key] = value end
    end
    taken.data = message.json or core.encode(message.data or {})
    return taken
end
tools.message_of = message_of

function Reaction:when_message(message)
    local copy = copied(self)
    return react(copy, { reactor = self.name, messages = { message_of(message, self.time) } })
end

-- An event of the domain: it is recorded, then heard.
function Reaction:when_event(event)
    local copy = copied(self)
    tools.append(copy.events, prepare({ event }, nil, self.time))
    return react(copy, { reactor = self.name })
end

local function next_due(self, target)
    local key, found
    for candidate, timer in pairs(self.pending) do
        local first = found == nil or timer.at < found.at or (timer.at == found.at and candidate < key)
        if timer.at <= target and first then key, found = candidate, timer end
    end
    return key, found
end

-- The clock goes on; what falls due on the way fires at its time. What all of it decided is expected afterwards.
function Reaction:advance(amount)
    local copy, fired = copied(self), 0
    local target = core.micros { at = self.time } + tools.span(amount)
    copy.kind = "accepted"
    while copy.kind == "accepted" do
        local key, timer = next_due(copy, target)
        if key == nil then break end
        fired = fired + 1
        if fired > FIRINGS_MAX then error("more than " .. FIRINGS_MAX .. " timers fire in one advance", 2) end
        copy.pending[key] = nil
        if timer.at > core.micros { at = copy.time } then copy.time = text_of_time(timer.at) end
        react(copy, { stream = timer.stream, timer = timer.name, data = timer.data })
    end
    copy.fired, copy.time = fired, text_of_time(target)
    return copy
end

-- ---- what came of it ----

local function must_be_done(self)
    if self.kind == nil then error("nothing was heard yet: when_message, when_event or advance comes before", 3) end
    if self.kind ~= "accepted" then fail("the reaction %s", describe(self)) end
end

local function of_kind(self, kind)
    local found = {}
    for _, entry in ipairs(self.entries) do
        if entry.kind == kind then found[#found + 1] = entry end
    end
    return found
end

local function compare(what, expected, got, fields)
    local matches, shown = #expected == #got, {}
    for i, entry in ipairs(got) do
        shown[i] = { type = entry.type, data = core.decode(entry.data) }
        for _, field in ipairs(fields) do shown[i][field] = entry[field] ~= "" and entry[field] or nil end
        local wanted = expected[i]
        if type(wanted) == "string" then wanted = { type = wanted } end
        matches = matches and wanted.type == entry.type and (wanted.data == nil or same(wanted.data, entry.data))
        for _, field in ipairs(fields) do
            matches = matches and (wanted[field] == nil or wanted[field] == entry[field])
        end
    end
    if not matches then fail(difference(what, expected, shown)) end
end

-- The whole list, of all streams: { type, data?, stream? }, or the type alone.
function Reaction:expect_events(events)
    must_be_done(self)
    compare("events", events, of_kind(self, "event"), { "stream" })
    return self
end

-- The whole list: { type, data?, topic?, key? }, or the type alone.
function Reaction:expect_messages(messages)
    must_be_done(self)
    compare("messages", messages, of_kind(self, "message"), { "topic", "key" })
    return self
end

function Reaction:expect_timers(timers)
    must_be_done(self)
    tools.expect_timers(self.timers, timers, self.time)
    return self
end

-- How many timers wait.
function Reaction:expect_pending(count)
    local found = 0
    for _ in pairs(self.pending) do found = found + 1 end
    if found ~= count then fail("%d timers are pending, expected %d", found, count) end
    return self
end

function Reaction:expect_nothing()
    must_be_done(self)
    if #self.entries > 0 then compare("entries", {}, self.entries, { "kind" }) end
    return self
end

-- A command was refused and nothing answered it.
function Reaction:expect_refused(code)
    must_be_done(self)
    if self.refused == 0 then fail "no command was refused" end
    if code ~= nil and self.code ~= code then fail("refused by '%s', expected '%s'", self.code, code) end
    return self
end

function Reaction:expect_error(code)
    if self.kind ~= "error" then fail "the reaction did not fail" end
    if code ~= nil and self.code ~= code and not (code == "bad_input" and self.class == "input") then
        fail("failed with '%s' (%s), expected '%s'", self.code, self.message, code)
    end
    return self
end

function Reaction:expect_retry(seconds)
    if self.retry_ms == nil then fail "the handler does not want to be called again" end
    if seconds ~= nil and self.retry_ms ~= math.floor(seconds * 1000) then
        fail("wants to be called again in %g s, expected %g", self.retry_ms / 1000, seconds)
    end
    return self
end

local function folded(self, aggregate, id)
    local got = core.state { domain = self.domain, aggregate = aggregate, id = id, events = self.events,
                             at = self.time }
    if got.kind == "error" then fail("the fold failed: %s (%s)", got.message, got.code) end
    return got.state
end

-- What the engine keeps of a process is beside its state.
local function process_state(self, id)
    id = id or self.own
    if id == nil then fail "no process has heard anything yet" end
    local state = core.decode(folded(self, self.name, id))
    local kept = state._process or {}
    state._process = nil
    return state, kept
end

-- The state of the process that heard last, or of the one with this id.
function Reaction:expect_state(state, id)
    local got = process_state(self, id)
    if not same(state, core.encode(got)) then fail(difference("states", state, got)) end
    return self
end

-- The state of another stream of the domain, "aggregate/id".
function Reaction:expect_state_of(stream, state)
    local aggregate, id = stream:match "^([%w_]+)/(.+)$"
    if not aggregate then error("expect_state_of wants \"aggregate/id\"", 2) end
    local got = folded(self, aggregate, id)
    if not same(state, got) then fail(difference("states of " .. stream, state, core.decode(got))) end
    return self
end

function Reaction:expect_completed(id)
    local _, kept = process_state(self, id)
    if not kept.completed then fail "the process is not completed" end
    return self
end

function Reaction:expect_running(id)
    local _, kept = process_state(self, id)
    if kept.completed then fail "the process is completed" end
    return self
end

-- Another machine, with other addresses and another order of hashing, decides the same.
function Reaction:expect_deterministic()
    local asked = { twin = true }
    for key, value in pairs(self.asked or error("nothing was heard yet", 2)) do asked[key] = value end
    local once = core.encode(core.react(asked))
    asked.twin = nil
    local twice = core.encode(core.react(asked))
    if once ~= twice then fail("not deterministic\nonce:  %s\nagain: %s", once, twice) end
    return self
end

return function(domain, name, time)
    return setmetatable({ domain = domain, name = name, time = time, events = {}, pending = {},
                          entries = {}, timers = {}, refused = 0 }, Reaction)
end
