-- SPDX-License-Identifier: MIT
-- A process manager: an order reserves, waits thirty days for its payment, and gives back what it had.
return {
    name = "checkout",
    correlate = "order",
    starts = { "IE_Placed" },
    topics = { "orders" },
    initial = function() return { status = "none", reminders = 0 } end,
    events = {
        Started = { data = { quantity = "integer" }, apply = function(state, data)
            state.status, state.quantity = "waiting", data.quantity
            return state
        end },
        Reminded = { data = {}, apply = function(state)
            state.reminders = state.reminders + 1
            return state
        end },
        Ended = { data = { how = "string" }, apply = function(state, data)
            state.status = data.how
            return state
        end },
    },
    react = {
        IE_Placed = function(state, data)
            if state.status ~= "none" then return end
            return {
                { event = "Started", data = { quantity = data.quantity } },
                { command = "stock.Reserve", id = "main", data = { quantity = data.quantity },
                  refused = function() return { { event = "Ended", data = { how = "refused" } }, { complete = true } } end },
                { compensate = { command = "stock.GiveBack", id = "main", data = { quantity = data.quantity } } },
                { timer = "expire", after = 30 * 86400 },
                { timer = "remind", after = 7 * 86400, data = { n = 1 } },
            }
        end,
        IE_Paid = function()
            return { { event = "Ended", data = { how = "paid" } }, { message = "IS_Thanks", topic = "out" },
                     { complete = true } }
        end,
    },
    timers = {
        expire = function()
            return { { undo = true }, { event = "Ended", data = { how = "expired" } }, { complete = true } }
        end,
        remind = function(_, data)
            return { { event = "Reminded" }, { message = "IS_Reminder", topic = "out", data = data },
                     { timer = "remind", after = 7 * 86400, data = { n = data.n + 1 } } }
        end,
    },
}
