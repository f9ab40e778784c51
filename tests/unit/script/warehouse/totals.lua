-- SPDX-License-Identifier: MIT
-- A projection that a topic feeds.
return {
    name = "totals",
    topics = { "orders" },
    tables = { Totals = { key = { "Customer" }, columns = { Customer = "text", Orders = "integer", Last = "text" } } },
    on = {
        IE_Placed = function(view, data, meta)
            local row = view.Totals:get(data.customer)
            if row and row.Last == meta.id then return end
            view.Totals:put { Customer = data.customer, Orders = (row and row.Orders or 0) + 1, Last = meta.id }
        end,
    },
}
