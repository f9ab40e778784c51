-- SPDX-License-Identifier: MIT
-- Statistics of orders, made of what the orders publish.

local routes = {}
for _, prefix in ipairs { "", "/api" } do
    routes[#routes + 1] = { "GET", prefix .. "/report/StatisticOfAllProducts", query = "products",
                            summary = "How many of a product were ordered, at which prices" }
    routes[#routes + 1] = { "GET", prefix .. "/report/StatisticOfAllOrders", query = "orders",
                            summary = "How many orders there were, and how they ended" }
end

return {
    title = "Statistics of orders",
    routes = routes,

    queries = {
        products = {
            params = {},
            run = function(view)
                local found, at = json.array {}, nil
                for _, row in ipairs(view.ProductStatistic:find { order = { "ProductId", "UnitPrice" }, limit = 1000 }) do
                    if at == nil or at.productId ~= row.ProductId then
                        at = { productId = row.ProductId, productDetails = json.array {} }
                        found[#found + 1] = at
                    end
                    at.productDetails[#at.productDetails + 1] = { quantity = row.Quantity, unitPrice = row.UnitPrice }
                end
                return { productHistories = found }
            end,
        },
        orders = {
            params = {},
            run = function(view)
                local row = view.OrderStatistic:get "all" or { Total = 0, Successed = 0, Failed = 0 }
                return { totalOrderCount = row.Total, totalSuccessedOrderCount = row.Successed,
                         totalFailedOrderCount = row.Failed }
            end,
        },
    },
}
