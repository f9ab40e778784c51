-- SPDX-License-Identifier: MIT
return {
    name = "stock",
    initial = function() return { taken = 0, orders = 0 } end,
    events = {
        Reserved = {
            data = { n = "integer" },
            apply = function(state, data)
                state.taken, state.orders = state.taken + data.n, state.orders + 1
                return state
            end,
        },
    },
    commands = {
        Reserve = {
            anywhere = true,
            data = { n = "integer" },
            handle = function(_, data)
                if data.n == 13 then error("unlucky") end
                return { { type = "Reserved", data = { n = data.n } } }
            end,
        },
    },
}
