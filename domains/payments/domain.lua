-- SPDX-License-Identifier: MIT
-- Payments: one an order, taken when its stock is held, given back when the order fails all the same.

local routes = {}
for _, prefix in ipairs { "", "/api" } do
    routes[#routes + 1] = { "GET", prefix .. "/payment/All", query = "all", summary = "Payments, newest first" }
end

return {
    title = "Payments",
    settings = { currency = "EUR", most = "10000.00" }, -- an order of a higher total is not paid
    routes = routes,

    queries = {
        all = {
            summary = "Payments, newest first",
            params = { limit = { type = "integer", minimum = 1, maximum = 1000, default = 100 },
                       offset = { type = "integer", minimum = 0, default = 0 } },
            run = function(view, params)
                local found = json.array {}
                local rows = view.Payments:find { order = { "-Position" },
                                                  limit = params.limit, offset = params.offset }
                for i, row in ipairs(rows) do
                    found[i] = { orderNo = row.OrderNo, status = row.Status, amount = row.Amount,
                                 paymentDate = row.PaymentDate and time.format(row.PaymentDate) }
                end
                return found
            end,
        },
    },
}
