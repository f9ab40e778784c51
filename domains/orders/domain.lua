-- SPDX-License-Identifier: MIT
-- Orders: placed, changed while they wait for stock and payment, then successful or failed for good.

local function order(state, meta)
    local products = json.array {}
    for i, product in ipairs(state.products) do
        products[i] = { productId = product.ProductId, quantity = product.Quantity, unitPrice = product.UnitPrice }
    end
    return {
        orderNo = meta.id, customerId = state.customerId, status = state.status, reason = state.reason,
        orderDate = state.orderDate, products = products, pending = #state.changes, version = meta.version,
    }
end

local order_schema = {
    orderNo = "string", customerId = "string", status = "string", reason = "string?", orderDate = "time",
    products = { array = { fields = { productId = "string", quantity = "integer", unitPrice = "money" } } },
    pending = "integer", version = "integer",
}

local function placed(_, meta)
    return { isSuccess = true, orderNo = meta.id }
end

local function taken(reply, meta)
    return { isSuccess = true, orderNo = meta.id, changeId = reply.changeId }
end

local routes = {}
for _, prefix in ipairs { "", "/api" } do
    local function route(method, path, rest)
        rest[1], rest[2] = method, prefix .. path
        routes[#routes + 1] = rest
    end
    route("POST", "/order/PlaceOrder", { command = "order.PlaceOrder", status = 201, location = "/order/{id}",
                                         reply = placed, summary = "Place an order" })
    route("POST", "/order/AddProduct", { command = "order.AddProduct", id = "orderNo", reply = taken,
                                         summary = "Ask for more of a product, or for another one" })
    route("POST", "/order/RemoveProduct", { command = "order.RemoveProduct", id = "orderNo", reply = taken,
                                            summary = "Ask for less of a product" })
    route("GET", "/order/{id}", { state = "order", reply = order, returns = order_schema, summary = "One order" })
    route("GET", "/orders", { query = "orders", summary = "Orders, newest first" })
end

return {
    title = "Orders",
    settings = {
        currency = "EUR",
        expire_seconds = 900, -- an order that is still waiting then has failed
    },
    routes = routes,
}
