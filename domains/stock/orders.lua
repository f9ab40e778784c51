-- SPDX-License-Identifier: MIT
-- What orders want of the stock.

local function tell(command, fill)
    return function(data)
        return { { command = "stock." .. command, id = "main", data = fill and fill(data) or { OrderNo = data.OrderNo } } }
    end
end

return {
    name = "orders",
    topics = { "OrderStream" },
    react = {
        IE_OrderPlaced = tell("Reserve", function(data)
            local items = json.array {}
            for i, item in ipairs(data.Items) do items[i] = { ProductId = item.ProductId, Quantity = item.Quantity } end
            return { OrderNo = data.OrderNo, Total = data.Total, CustomerId = data.CustomerId, Items = items }
        end),
        IE_ProductAdded = tell("Change", function(data)
            return { OrderNo = data.OrderNo, ChangeId = data.ChangeId, ProductId = data.Item.ProductId,
                     Quantity = data.Item.Quantity }
        end),
        IE_ProductRemoved = tell("Change", function(data)
            return { OrderNo = data.OrderNo, ChangeId = data.ChangeId, ProductId = data.ProductId,
                     Quantity = -data.Quantity }
        end),
        IE_PaymentFailed = tell "GiveBack",
        IE_OrderFailed = tell "GiveBack",
        IE_OrderSuccessed = tell "Sell",
    },
}
