-- SPDX-License-Identifier: MIT
-- A document: what it holds, without how it came to that.
return {
    name = "tank",
    document = { level = "integer", note = "string?" },
    initial = function() return { level = 0 } end,
    timers = { drain = "Drain" },
    commands = {
        Fill = {
            anywhere = true,
            data = { by = "integer", note = "string?" },
            handle = function(state, data, ctx)
                if state.level + data.by > 1000000 then return nil, { code = "too_full" } end
                state.level, state.note = state.level + data.by, data.note
                if data.note == "drain" then ctx:timer("drain", { after = 60, data = { why = "note" } }) end
                if data.note == "keep" then ctx:cancel "drain" end
                return { state = state }, { level = state.level }
            end,
        },
        Tell = {
            handle = function(state)
                return { messages = { { type = "TankTold", topic = "tanks", data = { level = state.level } } } }
            end,
        },
        Drain = {
            data = { why = "string?" },
            handle = function(state) return { state = { level = 0, note = state.note } } end,
        },
    },
}
