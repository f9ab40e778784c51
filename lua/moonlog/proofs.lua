-- SPDX-License-Identifier: MIT
-- Words of specs about how rules behave, whatever they decide: the same in another machine, with a state that has been
-- JSON in between, with events that come twice.

local core, tools, Result, Scenario, Rows = ...
local fail, pretty = tools.fail, tools.pretty

-- The same question with more said: { twin = true } asks another Lua state, { by_json = true } takes the state through
-- JSON after each event.
local function again(asked, more)
    local copy = {}
    for key, value in pairs(asked) do copy[key] = value end
    for key, value in pairs(more) do copy[key] = value end
    return copy
end

local function text_of(list)
    local parts = {}
    for i, entry in ipairs(list or {}) do
        parts[i] = table.concat({ entry.kind or "", entry.type or entry.name, entry.id or "", entry.topic or "",
                                  entry.data or entry.key or "" }, " ")
    end
    return table.concat(parts, "\n")
end

local function compare(what, first, second)
    for _, field in ipairs { "kind", "code", "message", "reply", "state" } do
        if first[field] ~= second[field] then
            fail("%s: %s differs\nonce:  %s\nagain: %s", what, field, first[field] or "none", second[field] or "none")
        end
    end
    for _, field in ipairs { "entries", "reservations" } do
        local once, twice = text_of(first[field]), text_of(second[field])
        if once ~= twice then fail("%s: %s differ\nonce:  %s\nagain: %s", what, field, once, twice) end
    end
end

-- Another machine, with other addresses and another order of hashing, decides and folds the same.
function Result:expect_deterministic()
    compare("not deterministic", self, core.decide(again(self.asked, { twin = true })))
    return self
end

-- A state that was kept as JSON between the events leads to the same decision and the same state.
function Result:expect_survives_json()
    compare("the state does not survive JSON", self, core.decide(again(self.asked, { by_json = true })))
    return self
end

local function folded(scenario, more)
    return core.state(again({ domain = scenario.domain, aggregate = scenario.aggregate, id = scenario.id,
                              events = scenario.events, at = scenario.time }, more))
end

function Scenario:expect_deterministic()
    compare("not deterministic", folded(self, {}), folded(self, { twin = true }))
    return self
end

function Scenario:expect_survives_json()
    compare("the state does not survive JSON", folded(self, {}), folded(self, { by_json = true }))
    return self
end

local function rows_text(rows)
    local texts = {}
    for i, row in ipairs(rows) do texts[i] = core.encode(row) end
    table.sort(texts)
    return table.concat(texts, "\n")
end

local function compare_tables(what, first, second)
    if first.kind == "error" or second.kind == "error" then
        local failed = first.kind == "error" and first or second
        fail("%s: the projection failed: %s (%s)", what, failed.message, failed.code)
    end
    for name, rows in pairs(first.tables) do
        if rows_text(rows) ~= rows_text(second.tables[name]) then
            fail("%s: rows of %s differ\nonce:  %s\nagain: %s", what, name, pretty(rows), pretty(second.tables[name]))
        end
    end
end

-- All events delivered once more, with the ids and versions they had, give the same rows. Followers here never deliver
-- twice; rows that sums are added to without a look at the version do not pass, and need not.
function Rows:twice()
    local events = {}
    local messages = {}
    for _ = 1, 2 do
        for _, event in ipairs(self.asked.events) do events[#events + 1] = event end
        for _, message in ipairs(self.asked.messages or {}) do messages[#messages + 1] = message end
    end
    local twice = again(self.asked, { events = events, messages = messages, repeated = #self.asked.events })
    compare_tables("delivered twice", self.result, core.project(twice))
    return self
end

function Rows:expect_deterministic()
    compare_tables("not deterministic", self.result, core.project(again(self.asked, { twin = true })))
    return self
end
