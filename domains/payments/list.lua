-- SPDX-License-Identifier: MIT
-- One row a payment.

return {
    name = "list",
    tables = {
        Payments = {
            key = { "OrderNo" },
            columns = { OrderNo = "text", Status = "text", Amount = "text?", PaymentDate = "time?", Position = "integer" },
            indexes = { { "Position" } },
        },
    },
    on = {
        ["payment.Saved"] = function(view, data, meta)
            local before = view.Payments:get(meta.stream_id)
            view.Payments:put { OrderNo = meta.stream_id, Status = data.status, Amount = data.amount or json.null,
                                PaymentDate = data.paymentDate or json.null,
                                Position = before and before.Position or meta.position }
        end,
    },
}
