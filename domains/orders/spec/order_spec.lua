-- SPDX-License-Identifier: MIT
describe("order", function()
    local order = moonlog.aggregate "orders.order"

    local function line(id, quantity, price) return { ProductId = id, Quantity = quantity, UnitPrice = price } end
    local function placed(...)
        return { type = "OrderPlaced", data = { CustomerId = "ada", OrderDate = 1000000, OrderProducts = { ... } } }
    end
    local function addition(id, product)
        return { type = "AdditionRequested", data = { ChangeId = id, Product = product } }
    end
    local function removal(id, product, quantity)
        return { type = "RemovalRequested", data = { ChangeId = id, ProductId = product, Quantity = quantity } }
    end
    local paid, succeeded = { type = "PaymentReceived", data = {} }, { type = "OrderSucceeded", data = {} }
    local failed = { type = "OrderFailed", data = { Reason = "out of stock" } }
    local function place(items) return { type = "PlaceOrder", data = { customerId = "ada", items = items } } end

    describe("placing", function()
        it("takes a customer and products", function()
            order:given {}:when(place { { productId = "1", quantity = 2, unitPrice = 9.5 } })
                :expect_events { "OrderPlaced" }
        end)
        it("refuses none, and quantities and prices below their least", function()
            order:given {}:when(place {}):expect_error "bad_input"
            order:given {}:when(place { { productId = "1", quantity = 0, unitPrice = 1 } }):expect_error "bad_input"
            order:given {}:when(place { { productId = "1", quantity = 1, unitPrice = -1 } }):expect_error "bad_input"
            order:given {}:when { type = "PlaceOrder", data = { customerId = " ", items = {} } }:expect_error "bad_input"
        end)
        it("adds up a product that stands twice at one price, and refuses it at two", function()
            order:given {}:when(place { { productId = "1", quantity = 1, unitPrice = 2 }, { productId = "1", quantity = 2, unitPrice = 2 } })
                :expect_events { "OrderPlaced" }
            order:given {}:when(place { { productId = "1", quantity = 1, unitPrice = 2 }, { productId = "1", quantity = 2, unitPrice = 3 } })
                :expect_refusal "duplicate_product"
        end)
    end)

    describe("changing", function()
        it("an order that is not there is not found, whatever its default status", function()
            order:given {}:when { type = "AddProduct", data = { product = { productId = "1", quantity = 1, unitPrice = 1 } } }
                :expect_refusal "no_such_stream"
        end)
        it("an addition stands once the stock has confirmed it", function()
            local added = addition("c1", line("2", 3, 500))
            order:given { placed(line("1", 1, 100)), added }:when { type = "ConfirmChange", data = { ChangeId = "c1" } }
                :expect_events { "ProductAdded" }
            order:given { placed(line("1", 1, 100)), added }:when { type = "RefuseChange", data = { ChangeId = "c1", Reason = "none left" } }
                :expect_events { "ChangeRefused" }
        end)
        it("a removal drops the line at 0, never the last one", function()
            order:given { placed(line("1", 2, 100), line("2", 1, 100)), removal("c1", "1", 2) }
                :when { type = "ConfirmChange", data = { ChangeId = "c1" } }:expect_events { "ProductRemoved" }
            order:given { placed(line("1", 2, 100)) }:when { type = "RemoveProduct", data = { productId = "1", quantity = 2 } }
                :expect_refusal "order_would_be_empty"
        end)
        it("no more can be removed than is held, with what is already asked for", function()
            order:given { placed(line("1", 2, 100), line("2", 1, 100)), removal("c1", "1", 1) }
                :when { type = "RemoveProduct", data = { productId = "1", quantity = 2 } }:expect_refusal "not_enough_in_order"
        end)
        it("an order that has ended does not change", function()
            for _, ending in ipairs { succeeded, failed } do
                order:given { placed(line("1", 1, 100)), ending }
                    :when { type = "AddProduct", data = { product = { productId = "1", quantity = 1, unitPrice = 1 } } }
                    :expect_refusal "order_final"
            end
        end)
    end)

    describe("ending", function()
        it("succeeds when it is paid", function()
            order:given { placed(line("1", 1, 100)) }:when { type = "Succeed", data = {} }
                :expect_events { "PaymentReceived", "OrderSucceeded" }
        end)
        it("waits with that for changes under way", function()
            order:given { placed(line("1", 1, 100)), addition("c1", line("2", 1, 100)) }:when { type = "Succeed", data = {} }
                :expect_events { "PaymentReceived" }
            order:given { placed(line("1", 1, 100)), addition("c1", line("2", 1, 100)), paid }
                :when { type = "RefuseChange", data = { ChangeId = "c1", Reason = "none left" } }
                :expect_events { "ChangeRefused", "OrderSucceeded" }
        end)
        it("success and failure that come again, or too late, change nothing", function()
            for _, ending in ipairs { succeeded, failed } do
                order:given { placed(line("1", 1, 100)), ending }:when { type = "Succeed", data = {} }:expect_events {}
                order:given { placed(line("1", 1, 100)), ending }:when { type = "Fail", data = { Reason = "x" } }:expect_events {}
            end
        end)
        it("fails when its time is over, unless it is paid", function()
            order:given { placed(line("1", 1, 100)) }:when { type = "Expire", data = {} }:expect_events { "OrderFailed" }
            order:given { placed(line("1", 1, 100)), addition("c1", line("2", 1, 100)), paid }
                :when { type = "Expire", data = {} }:expect_events {}
        end)
        it("reads what the originals recorded", function()
            order:given { placed(line("1", 1, 100)), { type = "OrderSuccessed", version = 1, data = {} } }
                :when { type = "Fail", data = { Reason = "x" } }:expect_events {}
        end)
    end)
end)
