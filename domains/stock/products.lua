-- SPDX-License-Identifier: MIT
-- One row a product: what is left, held by waiting orders, sold.

return {
    name = "products",
    tables = {
        Products = {
            key = { "ProductId" },
            columns = { ProductId = "text", Initial = "integer", Remaining = "integer", Held = "integer", Sold = "integer" },
        },
    },
    on = {
        ["stock.Saved"] = function(view, data)
            for id, product in pairs(data.products) do
                view.Products:put { ProductId = id, Initial = product.initial, Remaining = product.remaining,
                                    Held = product.initial - product.remaining - product.sold, Sold = product.sold }
            end
        end,
    },
}
