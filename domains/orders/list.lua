-- SPDX-License-Identifier: MIT
-- One row an order.

local function ended(status)
    return function(view, data, meta)
        view.Orders:update({ OrderNo = meta.stream_id }, { Status = status, Reason = data.Reason or json.null })
    end
end

return {
    name = "list",
    tables = {
        Orders = {
            key = { "OrderNo" },
            stream_column = "OrderNo",
            columns = { OrderNo = "text", CustomerId = "text", Status = "text", Reason = "text?", OrderDate = "time",
                        Position = "integer" },
            indexes = { { "Position" }, { "CustomerId", "Position" } },
        },
    },
    on = {
        ["order.OrderPlaced"] = function(view, data, meta)
            view.Orders:insert { OrderNo = meta.stream_id, CustomerId = data.CustomerId, Status = "Suspend",
                                 OrderDate = data.OrderDate, Position = meta.position }
        end,
        ["order.OrderSucceeded"] = ended "Successed",
        ["order.OrderFailed"] = ended "Failed",
    },
}
