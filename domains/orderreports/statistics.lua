-- SPDX-License-Identifier: MIT
-- The rows of a message and its place move together, so that nothing is counted twice.

return {
    name = "statistics",
    topics = { "OrderStream" },
    tables = {
        ProductStatistic = {
            key = { "ProductId", "UnitPrice" },
            columns = { ProductId = "text", UnitPrice = "text", Quantity = "integer" },
        },
        OrderStatistic = {
            key = { "Name" },
            columns = { Name = "text", Total = "integer", Successed = "integer", Failed = "integer" },
        },
    },
    on = {
        IE_OrderSuccessed = function(view, data)
            for _, item in ipairs(data.Items) do
                view.ProductStatistic:add({ ProductId = item.ProductId, UnitPrice = item.UnitPrice },
                                          { Quantity = item.Quantity })
            end
            view.OrderStatistic:add("all", { Total = 1, Successed = 1, Failed = 0 })
        end,
        IE_OrderFailed = function(view)
            view.OrderStatistic:add("all", { Total = 1, Successed = 0, Failed = 1 })
        end,
    },
}
