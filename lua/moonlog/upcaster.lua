-- SPDX-License-Identifier: MIT
-- The words of specs for upcasters: recorded bytes in, the events of today out.

local core, tools = ...
local fail, difference, same, prepare = tools.fail, tools.difference, tools.same, tools.prepare

local Old = {}
Old.__index = Old

local function pieces_of(old)
    local got = core.upcast { domain = old.domain, aggregate = old.name, events = old.events, at = old.time }
    if got.kind == "error" then fail("upcasting failed: %s (%s)", got.message, got.code) end
    return got.pieces
end

-- The whole list: a renamed event is one, a split one is several, a dropped one is {}.
function Old:expect(pieces)
    local got, shown = pieces_of(self), {}
    local matches = #got == #pieces
    for i, piece in ipairs(got) do
        local wanted = pieces[i]
        shown[i] = { type = piece.type, version = piece.version, data = core.decode(piece.data) }
        local data = core.encode(core.decode(piece.data)) -- what no step touched is as the spec spelled it
        matches = matches and wanted.type == piece.type and same(wanted.data or {}, data)
            and (wanted.version == nil or wanted.version == piece.version)
    end
    if not matches then fail(difference("events of today", pieces, shown)) end
    return self
end

function Old:expect_dropped()
    local got = pieces_of(self)
    if #got > 0 then fail("the event becomes %d of today, the first a %s", #got, got[1].type) end
    return self
end

function Old:expect_error(code)
    local got = core.upcast { domain = self.domain, aggregate = self.name, events = self.events, at = self.time }
    if got.kind ~= "error" then fail "upcasting did not fail" end
    if code ~= nil and got.code ~= code then
        fail("failed with '%s' (%s), expected '%s'", got.code, got.message, code)
    end
    return self
end

local Upcaster = {}
Upcaster.__index = Upcaster

-- { type, version, json or data }: as it was recorded.
function Upcaster:given_bytes(event)
    local events = prepare({ event }, self.domain .. "." .. self.name .. "/1")
    return setmetatable({ domain = self.domain, name = self.name, time = self.time, events = events }, Old)
end

return function(domain, name, time)
    return setmetatable({ domain = domain, name = name, time = time }, Upcaster)
end
