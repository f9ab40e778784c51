-- SPDX-License-Identifier: MIT
-- The one stock: current state, no event sourcing. What an order holds stays under its number until the order ends;
-- then it is sold, or goes back.

local seed = require "seed"

local counts = { map = "integer" }

local function to(topic, type, data)
    return { type = type, topic = topic, key = data.OrderNo, data = data }
end

-- The first of `items` that there is too little of, or that nobody knows.
local function missing(state, items)
    for _, item in ipairs(items) do
        local product = state.products[item.ProductId]
        if product == nil then return "product " .. item.ProductId .. " is unknown" end
        if product.remaining < item.Quantity then
            return ("product %s: %d wanted, %d left"):format(item.ProductId, item.Quantity, product.remaining)
        end
    end
end

local function hold(state, order, id, quantity)
    local held = state.held[order]
    state.products[id].remaining = state.products[id].remaining - quantity
    held[id] = (held[id] or 0) + quantity
    if held[id] == 0 then held[id] = nil end
end

local item = { fields = { ProductId = "string", Quantity = { type = "integer", minimum = 1 } } }

return {
    name = "stock",
    document = {
        products = { map = { fields = { initial = "integer", remaining = "integer", sold = "integer" } } },
        held = { map = counts }, -- by order
    },
    initial = function()
        local products = {}
        for id, quantity in pairs(seed) do
            products[id] = { initial = quantity, remaining = quantity, sold = 0 }
        end
        return { products = products, held = {} }
    end,

    commands = {
        Reserve = {
            anywhere = true,
            data = { OrderNo = "string", Total = "string?", CustomerId = "string?", Items = { array = item, min_items = 1 } },
            handle = function(state, data)
                local reason = missing(state, data.Items)
                if state.held[data.OrderNo] then return {} end
                if reason then
                    return { messages = { to("OrderStream", "IE_StockDecreaseFailed",
                                             { OrderNo = data.OrderNo, Reason = reason }) } }
                end
                state.held[data.OrderNo] = {}
                for _, wanted in ipairs(data.Items) do hold(state, data.OrderNo, wanted.ProductId, wanted.Quantity) end
                return { state = state, messages = { to("PaymentStream", "IS_StockDecreased",
                    { OrderNo = data.OrderNo, Total = data.Total, CustomerId = data.CustomerId }) } }
            end,
        },
        Change = {
            anywhere = true,
            data = { OrderNo = "string", ChangeId = "string", ProductId = "string", Quantity = "integer" },
            handle = function(state, data)
                local held = state.held[data.OrderNo]
                local reason
                if held == nil then
                    reason = "the order holds nothing"
                elseif data.Quantity > 0 then
                    reason = missing(state, { data })
                elseif (held[data.ProductId] or 0) + data.Quantity < 0 then
                    reason = "the order holds fewer"
                end
                local answer = { OrderNo = data.OrderNo, ChangeId = data.ChangeId, Reason = reason }
                if reason then return { messages = { to("OrderStream", "IS_StockChangeFailed", answer) } } end
                hold(state, data.OrderNo, data.ProductId, data.Quantity)
                return { state = state, messages = { to("OrderStream", "IS_StockChanged", answer) } }
            end,
        },
        GiveBack = {
            anywhere = true,
            data = { OrderNo = "string" },
            handle = function(state, data)
                local held = state.held[data.OrderNo]
                if held == nil then return {} end
                for id, quantity in pairs(held) do
                    state.products[id].remaining = state.products[id].remaining + quantity
                end
                state.held[data.OrderNo] = nil
                return { state = state }
            end,
        },
        Sell = {
            anywhere = true,
            data = { OrderNo = "string" },
            handle = function(state, data)
                local held = state.held[data.OrderNo]
                if held == nil then return {} end
                for id, quantity in pairs(held) do state.products[id].sold = state.products[id].sold + quantity end
                state.held[data.OrderNo] = nil
                return { state = state }
            end,
        },
    },
}
