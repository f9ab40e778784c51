-- SPDX-License-Identifier: MIT
-- Stock is held: the order is paid. An order that failed is not, or has its money back.

return {
    name = "reactions",
    topics = { "PaymentStream", "OrderStream" },
    react = {
        IS_StockDecreased = function(data)
            return { { command = "payment.Pay", id = data.OrderNo,
                       data = { Total = data.Total, CustomerId = data.CustomerId } } }
        end,
        IE_OrderFailed = function(data)
            return { { command = "payment.GiveBack", id = data.OrderNo, data = {} } }
        end,
    },
}
