-- SPDX-License-Identifier: MIT
describe("payment", function()
    local payment = moonlog.aggregate "payments.payment"
    local function saved(status) return { type = "Saved", data = { status = status, amount = "5.00" } } end
    local function pay(total) return { type = "Pay", data = { Total = total } } end

    it("is taken once", function()
        payment:given {}:when(pay "5.00"):expect_events { "Saved" }
        for _, status in ipairs { "paid", "refused", "refunded" } do
            payment:given { saved(status) }:when(pay "5.00"):expect_events {}
        end
    end)
    it("is refused above the most", function()
        payment:given {}:when(pay "10000.01"):expect_state { status = "refused", amount = "10000.01" }
    end)
    it("is never taken for an order that failed before", function()
        payment:given {}:when { type = "GiveBack", data = {} }:expect_state { status = "cancelled" }
        payment:given { saved "cancelled" }:when(pay "5.00"):expect_events {}
    end)
    it("is given back once when the order fails all the same", function()
        payment:given { saved "paid" }:when { type = "GiveBack", data = {} }:expect_state { status = "refunded", amount = "5.00" }
        payment:given { saved "refunded" }:when { type = "GiveBack", data = {} }:expect_events {}
    end)
end)
