-- SPDX-License-Identifier: MIT
-- Stock: how many of each product are left, and which orders hold the others.

local seed = require "seed"

local routes = {}
for _, prefix in ipairs { "", "/api" } do
    routes[#routes + 1] = { "GET", prefix .. "/stock/All", query = "all", summary = "What is left of each product" }
end

return {
    title = "Stock",
    routes = routes,

    queries = {
        all = {
            summary = "What is left of each product",
            params = {},
            run = function(view)
                local found = json.array {}
                for i, row in ipairs(view.Products:find { order = { "ProductId" }, limit = 1000 }) do
                    found[i] = { productId = row.ProductId, initialQuantity = row.Initial,
                                 remainingQuantity = row.Remaining, held = row.Held, sold = row.Sold }
                end
                if #found == 0 then -- nothing has moved yet
                    for id, quantity in pairs(seed) do
                        found[#found + 1] = { productId = id, initialQuantity = quantity, remainingQuantity = quantity,
                                              held = 0, sold = 0 }
                    end
                end
                return found
            end,
        },
    },
}
