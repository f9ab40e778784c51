-- SPDX-License-Identifier: MIT
describe("payments", function()
    local reactions = moonlog.reactor "payments.reactions"
    local held = { type = "IS_StockDecreased", data = { OrderNo = "o1", Total = "5.00" } }
    local failed = { type = "IE_OrderFailed", data = { OrderNo = "o1", Reason = "expired" } }

    it("one payment an order, also when its stock is told of twice", function()
        reactions:when_message(held):expect_events { "Saved" }:expect_messages { "IE_PaymentSuccessed" }
            :when_message(held):expect_nothing()
    end)
    it("an order that failed first is never paid", function()
        reactions:when_message(failed):when_message(held):expect_messages {}
    end)
    it("an order that fails afterwards has its money back", function()
        reactions:when_message(held):when_message(failed):expect_messages { "IE_PaymentRefunded" }
    end)
end)
