-- SPDX-License-Identifier: MIT
describe("stock", function()
    local stock = moonlog.aggregate "stock.stock"
    local function saved(remaining, held)
        return { type = "Saved", data = { products = { ["1"] = { initial = 100, remaining = remaining, sold = 0 } }, held = held } }
    end
    local function reserve(order, quantity, product)
        return { type = "Reserve", data = { OrderNo = order, Items = { { ProductId = product or "1", Quantity = quantity } } } }
    end

    it("begins with 100, 50 and 25 of three products", function()
        stock:given {}:when(reserve("o1", 100)):expect_events { "Saved" }
        stock:given {}:when(reserve("o1", 51, "2")):expect_events {}
        stock:given {}:when(reserve("o1", 25, "3")):expect_events { "Saved" }
    end)
    it("holds all that an order wants, or nothing", function()
        stock:given { saved(10, {}) }:when(reserve("o1", 4))
            :expect_state { products = { ["1"] = { initial = 100, remaining = 6, sold = 0 } }, held = { o1 = { ["1"] = 4 } } }
        stock:given { saved(3, {}) }:when(reserve("o1", 4)):expect_events {}
        stock:given { saved(3, {}) }:when(reserve("o1", 1, "unknown")):expect_events {}
    end)
    it("a reservation that comes again holds nothing more", function()
        stock:given { saved(6, { o1 = { ["1"] = 4 } }) }:when(reserve("o1", 4)):expect_events {}
    end)
    it("gives back what a failed order held, once", function()
        stock:given { saved(6, { o1 = { ["1"] = 4 } }) }:when { type = "GiveBack", data = { OrderNo = "o1" } }
            :expect_state { products = { ["1"] = { initial = 100, remaining = 10, sold = 0 } }, held = {} }
        stock:given { saved(10, {}) }:when { type = "GiveBack", data = { OrderNo = "o1" } }:expect_events {}
    end)
    it("sells what a successful order held, once", function()
        stock:given { saved(6, { o1 = { ["1"] = 4 } }) }:when { type = "Sell", data = { OrderNo = "o1" } }
            :expect_state { products = { ["1"] = { initial = 100, remaining = 6, sold = 4 } }, held = {} }
    end)
    it("changes a reservation either way, as far as there is enough", function()
        local function change(quantity)
            return { type = "Change", data = { OrderNo = "o1", ChangeId = "c1", ProductId = "1", Quantity = quantity } }
        end
        stock:given { saved(6, { o1 = { ["1"] = 4 } }) }:when(change(6)):expect_events { "Saved" }
        stock:given { saved(6, { o1 = { ["1"] = 4 } }) }:when(change(7)):expect_events {}
        stock:given { saved(6, { o1 = { ["1"] = 4 } }) }:when(change(-4)):expect_events { "Saved" }
        stock:given { saved(6, { o1 = { ["1"] = 4 } }) }:when(change(-5)):expect_events {}
        stock:given { saved(6, {}) }:when(change(1)):expect_events {}
    end)
end)
