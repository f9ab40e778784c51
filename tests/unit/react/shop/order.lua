-- SPDX-License-Identifier: MIT
return {
    name = "order",
    initial = function() return { status = "none" } end,
    events = {
        Placed = {
            data = { n = "integer" },
            apply = function(state, data) state.status, state.n = "placed", data.n; return state end,
            publish = { topic = "orders" },
        },
        Expired = { data = {}, apply = function(state) state.status = "expired"; return state end },
    },
    timers = { expire = "Expire" },
    commands = {
        Place = {
            creates = true,
            data = { n = "integer", wait = "number?" },
            handle = function(_, data, ctx)
                if data.wait then ctx:timer("expire", { after = data.wait }) end
                return { { type = "Placed", data = { n = data.n } } }
            end,
        },
        Expire = { handle = function() return { { type = "Expired", data = {} } } end },
    },
}
