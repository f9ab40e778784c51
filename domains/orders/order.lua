-- SPDX-License-Identifier: MIT
-- An order: Suspend until stock and payment have answered, then Successed or Failed for good. Additions and removals
-- wait for the stock's word; a payment that arrives meanwhile waits for them.

local product = { fields = { ProductId = "string", Quantity = "integer", UnitPrice = "money" } }
local wire_product = {
    fields = {
        productId = { type = "string", min_length = 1, max_length = 100 },
        quantity = { type = "integer", minimum = 1, maximum = 1000000 },
        unitPrice = { type = "money", minimum = 0 },
    },
}

local refusals = {
    final = { code = "order_final", message = "the order has ended" },
    too_few = { code = "not_enough_in_order", message = "the order holds fewer of that product" },
    empty = { code = "order_would_be_empty", message = "an order keeps at least one product" },
    twice = { code = "duplicate_product", message = "a product stands twice in the order, at different prices" },
}

local function line_of(state, id)
    for i, line in ipairs(state.products) do
        if line.ProductId == id then return line, i end
    end
end

-- One line a product; the same one again at the same price adds up.
local function merged(items)
    local lines, by_id = json.array {}, {}
    for _, item in ipairs(items) do
        local line = by_id[item.productId]
        if line == nil then
            line = { ProductId = item.productId, Quantity = item.quantity, UnitPrice = item.unitPrice }
            by_id[item.productId], lines[#lines + 1] = line, line
        elseif line.UnitPrice ~= item.unitPrice then
            return nil
        else
            line.Quantity = line.Quantity + item.quantity
        end
    end
    return lines
end

-- What the order will hold of a product once all that is asked for is granted.
local function expected(state, id)
    local line = line_of(state, id)
    local quantity = line and line.Quantity or 0
    for _, change in ipairs(state.changes) do
        if change.ProductId == id then
            if change.Kind == "remove" then quantity = quantity - change.Quantity end
        end
    end
    return quantity
end

local function priced(lines)
    local items, total = json.array {}, 0
    for i, line in ipairs(lines) do
        items[i] = { ProductId = line.ProductId, Quantity = line.Quantity, UnitPrice = money.format(line.UnitPrice, "EUR") }
        total = total + line.Quantity * line.UnitPrice
    end
    return items, money.format(total, "EUR")
end

local function message(type, fill)
    return {
        topic = "OrderStream",
        map = function(data, meta, state)
            local sent = { OrderNo = meta.stream_id }
            if fill then fill(sent, data, state) end
            return { type = type, data = sent }
        end,
    }
end

local function take_change(state, id)
    for i, change in ipairs(state.changes) do
        if change.ChangeId == id then return table.remove(state.changes, i) end
    end
end

local function change_of(state, id)
    for _, change in ipairs(state.changes) do
        if change.ChangeId == id then return change end
    end
end

-- The last thing that was waited for has come.
local function completed(state, ending)
    local events = json.array { ending }
    if state.paid and #state.changes == 1 then events[2] = { type = "OrderSucceeded", data = {} } end
    return events
end

return {
    name = "order",
    state_version = 1,
    initial = function()
        return { status = "None", products = json.array {}, changes = json.array {}, paid = false }
    end,

    events = {
        OrderPlaced = {
            data = { CustomerId = "string", OrderDate = "time", OrderProducts = { array = product } },
            apply = function(state, data)
                state.status, state.customerId, state.orderDate = "Suspend", data.CustomerId, data.OrderDate
                state.products = data.OrderProducts
                return state
            end,
            publish = message("IE_OrderPlaced", function(sent, data)
                sent.Items, sent.Total = priced(data.OrderProducts)
                sent.CustomerId = data.CustomerId
            end),
        },
        AdditionRequested = {
            data = { ChangeId = "string", Product = product },
            apply = function(state, data)
                state.changes[#state.changes + 1] = {
                    ChangeId = data.ChangeId, Kind = "add", ProductId = data.Product.ProductId,
                    Quantity = data.Product.Quantity, UnitPrice = data.Product.UnitPrice,
                }
                return state
            end,
            publish = message("IE_ProductAdded", function(sent, data)
                sent.ChangeId = data.ChangeId
                sent.Item = { ProductId = data.Product.ProductId, Quantity = data.Product.Quantity }
            end),
        },
        RemovalRequested = {
            data = { ChangeId = "string", ProductId = "string", Quantity = "integer" },
            apply = function(state, data)
                state.changes[#state.changes + 1] = {
                    ChangeId = data.ChangeId, Kind = "remove", ProductId = data.ProductId, Quantity = data.Quantity,
                }
                return state
            end,
            publish = message("IE_ProductRemoved", function(sent, data)
                sent.ChangeId, sent.ProductId, sent.Quantity = data.ChangeId, data.ProductId, data.Quantity
            end),
        },
        ProductAdded = {
            data = { ChangeId = "string", AddedProduct = product },
            apply = function(state, data)
                local added = data.AddedProduct
                local line = line_of(state, added.ProductId)
                take_change(state, data.ChangeId)
                if line == nil then
                    state.products[#state.products + 1] = added
                else
                    line.Quantity, line.UnitPrice = line.Quantity + added.Quantity, added.UnitPrice
                end
                return state
            end,
        },
        ProductRemoved = {
            data = { ChangeId = "string", ProductId = "string", Quantity = "integer" },
            apply = function(state, data)
                local line, at = line_of(state, data.ProductId)
                take_change(state, data.ChangeId)
                line.Quantity = line.Quantity - data.Quantity
                if line.Quantity == 0 then table.remove(state.products, at) end
                return state
            end,
        },
        ChangeRefused = {
            data = { ChangeId = "string", Reason = "string" },
            apply = function(state, data)
                take_change(state, data.ChangeId)
                return state
            end,
        },
        PaymentReceived = {
            data = {},
            apply = function(state)
                state.paid = true
                return state
            end,
        },
        OrderSucceeded = {
            data = {},
            apply = function(state)
                state.status = "Successed"
                return state
            end,
            publish = message("IE_OrderSuccessed", function(sent, _, state)
                sent.Items, sent.Total = priced(state.products)
            end),
        },
        OrderFailed = {
            data = { Reason = "string" },
            apply = function(state, data)
                state.status, state.reason, state.changes = "Failed", data.Reason, json.array {}
                return state
            end,
            publish = message("IE_OrderFailed", function(sent, data) sent.Reason = data.Reason end),
        },
    },

    -- As the originals spelt it.
    retired = {
        OrderSuccessed = { upcast = { [1] = function() return { { type = "OrderSucceeded", data = {} } } end } },
    },

    timers = { expire = "Expire" },

    commands = {
        PlaceOrder = {
            creates = true,
            data = {
                customerId = { type = "string", min_length = 1, max_length = 100, pattern = "%S" },
                items = { array = wire_product, min_items = 1, max_items = 100 },
            },
            handle = function(_, data, ctx)
                local lines = merged(data.items)
                if lines == nil then return nil, refusals.twice end
                ctx:timer("expire", { after = ctx.settings.expire_seconds })
                return { { type = "OrderPlaced",
                           data = { CustomerId = data.customerId, OrderDate = ctx:now(), OrderProducts = lines } } }
            end,
        },
        AddProduct = {
            data = { orderNo = "string?", product = wire_product },
            handle = function(state, data, ctx)
                if state.status ~= "Suspend" then return nil, refusals.final end
                local id, asked = ctx:uuid(), data.product
                return { { type = "AdditionRequested",
                           data = { ChangeId = id, Product = { ProductId = asked.productId, Quantity = asked.quantity,
                                                               UnitPrice = asked.unitPrice } } } }, { changeId = id }
            end,
        },
        RemoveProduct = {
            data = { orderNo = "string?", productId = "string", quantity = { type = "integer", minimum = 1 } },
            handle = function(state, data, ctx)
                if state.status ~= "Suspend" then return nil, refusals.final end
                local left = expected(state, data.productId) - data.quantity
                if left < 0 then return nil, refusals.too_few end
                local others = 0
                for _, line in ipairs(state.products) do
                    if line.ProductId ~= data.productId then others = others + expected(state, line.ProductId) end
                end
                if left + others == 0 then return nil, refusals.empty end
                local id = ctx:uuid()
                return { { type = "RemovalRequested",
                           data = { ChangeId = id, ProductId = data.productId, Quantity = data.quantity } } },
                       { changeId = id }
            end,
        },

        -- What the other services answer. Each is a no-op when it is done already, or too late.
        ConfirmChange = {
            data = { ChangeId = "string" },
            handle = function(state, data)
                local change = change_of(state, data.ChangeId)
                if state.status ~= "Suspend" or change == nil then return {} end
                if change.Kind == "add" then
                    return completed(state, { type = "ProductAdded", data = {
                        ChangeId = change.ChangeId, AddedProduct = { ProductId = change.ProductId,
                            Quantity = change.Quantity, UnitPrice = change.UnitPrice } } })
                end
                return completed(state, { type = "ProductRemoved", data = {
                    ChangeId = change.ChangeId, ProductId = change.ProductId, Quantity = change.Quantity } })
            end,
        },
        RefuseChange = {
            data = { ChangeId = "string", Reason = "string" },
            handle = function(state, data)
                if state.status ~= "Suspend" or change_of(state, data.ChangeId) == nil then return {} end
                return completed(state, { type = "ChangeRefused", data = data })
            end,
        },
        Succeed = {
            data = {},
            handle = function(state, _, ctx)
                if state.status ~= "Suspend" or state.paid then return {} end
                ctx:cancel "expire"
                if #state.changes > 0 then return { { type = "PaymentReceived", data = {} } } end
                return { { type = "PaymentReceived", data = {} }, { type = "OrderSucceeded", data = {} } }
            end,
        },
        Fail = {
            data = { Reason = "string" },
            handle = function(state, data, ctx)
                if state.status ~= "Suspend" then return {} end
                ctx:cancel "expire"
                return { { type = "OrderFailed", data = data } }
            end,
        },
        Expire = {
            data = {},
            handle = function(state)
                if state.status ~= "Suspend" or state.paid then return {} end
                return { { type = "OrderFailed", data = { Reason = "expired" } } }
            end,
        },
    },
}
