-- SPDX-License-Identifier: MIT
-- A document: what is left.
return {
    name = "stock",
    document = { left = "integer" },
    initial = function() return { left = 10 } end,
    timers = { refill = "Refill" },
    commands = {
        Reserve = {
            anywhere = true,
            data = { quantity = { type = "integer", minimum = 1 } },
            handle = function(state, data, ctx)
                if data.quantity > state.left then return nil, { code = "insufficient_stock" } end
                state.left = state.left - data.quantity
                if state.left == 0 then ctx:timer("refill", { after = 3600, data = { to = 10 } }) end
                return { state = state, messages = { { type = "IS_Decreased", topic = "out", data = { left = state.left } } } },
                       { left = state.left }
            end,
        },
        GiveBack = {
            data = { quantity = "integer" },
            handle = function(state, data) return { state = { left = state.left + data.quantity } } end,
        },
        Refill = {
            data = { to = "integer" },
            handle = function(_, data) return { state = { left = data.to } } end,
        },
    },
}
