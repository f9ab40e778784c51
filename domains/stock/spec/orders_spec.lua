-- SPDX-License-Identifier: MIT
describe("what orders want of the stock", function()
    local orders = moonlog.reactor "stock.orders"
    local function hear(type, data)
        data = data or {}
        data.OrderNo = "o1"
        return { type = type, data = data }
    end
    local function placed(id, quantity)
        return hear("IE_OrderPlaced", { Total = "1.00", CustomerId = "ada",
                                        Items = { { ProductId = id, Quantity = quantity, UnitPrice = "1.00" } } })
    end

    it("enough of everything: held, and the payment is asked for", function()
        orders:when_message(placed("1", 100)):expect_events { "Saved" }
            :expect_messages { { type = "IS_StockDecreased", topic = "PaymentStream", key = "o1" } }
    end)
    it("too few, or a product that nobody knows: nothing changes, and the order hears of it", function()
        for _, message in ipairs { placed("1", 101), placed("unknown", 1) } do
            orders:when_message(message):expect_events {}
                :expect_messages { { type = "IE_StockDecreaseFailed", topic = "OrderStream", key = "o1" } }
        end
    end)
    it("a failed order gives back what it held", function()
        orders:when_message(placed("2", 50)):when_message(hear "IE_OrderFailed"):expect_events { "Saved" }
    end)
end)
