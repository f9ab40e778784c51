-- SPDX-License-Identifier: MIT
describe("answers to an order", function()
    local answers = moonlog.reactor "orders.answers"
    local product = { ProductId = "1", Quantity = 1, UnitPrice = 100 }
    local placed = { type = "OrderPlaced", stream = "orders.order/o1",
                     data = { CustomerId = "ada", OrderDate = 1000000, OrderProducts = { product } } }
    local succeeded = { type = "OrderSucceeded", stream = "orders.order/o1", data = {} }
    local function hear(type, data)
        data = data or {}
        data.OrderNo = "o1"
        return { type = type, data = data }
    end

    it("a payment makes it succeed, and tells its items", function()
        answers:given { placed }:when_message(hear "IE_PaymentSuccessed")
            :expect_events { "PaymentReceived", "OrderSucceeded" }:expect_messages { "IE_OrderSuccessed" }
    end)
    it("the same payment again counts nothing twice", function()
        answers:given { placed, succeeded }:when_message(hear "IE_PaymentSuccessed"):expect_nothing()
    end)
    it("no stock, and no payment, make it fail", function()
        for _, type in ipairs { "IE_StockDecreaseFailed", "IE_PaymentFailed" } do
            answers:given { placed }:when_message(hear(type, { Reason = "x" }))
                :expect_events { "OrderFailed" }:expect_messages { { type = "IE_OrderFailed", topic = "OrderStream" } }
        end
    end)
    it("an answer about an order that nobody placed changes nothing", function()
        answers:given {}:when_message(hear "IE_PaymentSuccessed"):expect_refused "no_such_stream"
    end)
end)
