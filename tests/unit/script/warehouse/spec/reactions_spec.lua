-- SPDX-License-Identifier: MIT
-- Specs of what reacts, and that they can fail.

local function fails(with) assert.has_error(with) end

describe("a reactor", function()
    local reservations = moonlog.reactor "warehouse.reservations"
    local placed = { type = "IE_Placed", key = "o1", data = { quantity = 4, note = "not in the schema" } }

    it("decides commands at once", function()
        reservations:when_message(placed)
            :expect_events { { type = "Saved", stream = "warehouse.stock/main", data = { left = 6 } } }
            :expect_messages { { type = "IS_Decreased", topic = "out", data = { left = 6 } } }
            :expect_timers {}
            :expect_state_of("stock/main", { left = 6 })
            :expect_deterministic()
            :when_message(placed):expect_state_of("stock/main", { left = 2 })
            :when_message(placed):expect_events {}
            :expect_messages { { type = "IS_Refused", key = "o1", data = { code = "insufficient_stock" } } }
    end)

    it("hears whole types of published events", function()
        reservations:when_message { type = "shop.order.IE_Placed.v3", data = { quantity = 1 } }:expect_events { "Saved" }
        reservations:when_message { type = "IE_Nothing" }:expect_nothing()
    end)

    it("counts refusals that nobody answers", function()
        local given = reservations:given { { type = "Saved", stream = "warehouse.stock/main", data = { left = 1 } } }
        given:when_message { type = "IE_Careless", data = { quantity = 2 } }:expect_refused "insufficient_stock"
            :expect_nothing()
        fails(function() given:when_message(placed):expect_refused() end)
    end)

    it("hears events of its own domain", function()
        reservations:when_event { type = "Saved", stream = "warehouse.stock/a", data = { left = 0 } }
            :expect_messages { { type = "IS_Empty", data = { stock = "a" } } }
        reservations:when_event { type = "Saved", stream = "warehouse.stock/a", data = { left = 1 } }:expect_nothing()
    end)

    it("fails by name", function()
        reservations:when_message { type = "IE_Placed", data = { quantity = "x" } }:expect_error "bad_input"
        reservations:when_message { type = "IE_Careless", data = {} }:expect_error "bad_result"
        reservations:when_message { type = "IE_Placed", data = { quantity = 99 } }:expect_retry(2):expect_error "retry"
        fails(function() reservations:when_message(placed):expect_retry() end)
        fails(function() reservations:when_message(placed):expect_nothing() end)
        fails(function() reservations:when_message(placed):expect_events { { type = "Saved", data = { left = 7 } } } end)
        fails(function() reservations:when_message(placed):expect_messages { "IS_Refused" } end)
        fails(function() reservations:when_message { tpe = "x" } end)
        fails(function() moonlog.reactor "warehouse.nobody" end)
        fails(function() moonlog.process "warehouse.reservations" end)
    end)
end)

describe("a process manager", function()
    local checkout = moonlog.process "warehouse.checkout"
    local placed = { type = "IE_Placed", data = { order = "o1", quantity = 4 } }
    local paid = { type = "IE_Paid", data = { order = "o1" } }

    it("begins, waits and ends", function()
        checkout:when_message(placed)
            :expect_events { "Started", "Saved", "CompensationPushed" }
            :expect_timers { { name = "expire", after = 30 * 86400 }, { name = "remind", at = "2026-01-08T00:00:00Z" } }
            :expect_state { status = "waiting", quantity = 4, reminders = 0 }
            :expect_running():expect_pending(2):expect_deterministic()
            :advance "1d":expect_nothing()
            :when_message(paid)
            :expect_state { status = "paid", quantity = 4, reminders = 0 }
            :expect_messages { "IS_Thanks" }
            :expect_completed():expect_pending(0)
            :when_message(paid):expect_nothing()
    end)

    it("runs thirty days in no time", function()
        local after = checkout:when_message(placed):advance "31d"
        after:expect_messages { { type = "IS_Reminder", data = { n = 1 } }, { type = "IS_Reminder", data = { n = 2 } },
                                { type = "IS_Reminder", data = { n = 3 } }, { type = "IS_Reminder", data = { n = 4 } } }
            :expect_state { status = "expired", quantity = 4, reminders = 4 }
            :expect_state_of("stock/main", { left = 10 })
            :expect_completed():expect_pending(0)
        assert.equal(5, after.fired)
        assert.equal("2026-02-01T00:00:00.000000Z", after.time)
        fails(function() checkout:when_message(placed):advance("31d"):expect_running() end)
    end)

    it("passes over what does not begin one", function()
        checkout:when_message(paid):expect_nothing()
        checkout:when_message { type = "IE_Placed", data = { quantity = 1 } }:expect_error "no_correlation"
    end)

    it("answers refusals in the same commit", function()
        local given = checkout:given { { type = "Saved", stream = "warehouse.stock/main", data = { left = 0 } } }
        given:when_message(placed):expect_state({ status = "refused", quantity = 4, reminders = 0 }, "o1")
            :expect_completed "o1"
    end)

    it("fires timers of aggregates, too", function()
        checkout:when_message { type = "IE_Placed", data = { order = 7, quantity = 10 } }:expect_pending(3)
            :expect_state_of("stock/main", { left = 0 })
            :advance "2h":expect_state_of("stock/main", { left = 10 }):expect_pending(2)
    end)
end)

describe("a document", function()
    local stock = moonlog.aggregate "warehouse.stock"
    it("is its newest event", function()
        stock:given { { type = "Saved", data = { left = 3 } } }:when { type = "Reserve", data = { quantity = 3 } }
            :expect { { type = "Saved", data = { left = 0 } } }:expect_reply { left = 0 }:expect_state { left = 0 }
            :expect_messages { { type = "IS_Decreased", topic = "out" } }
            :expect_timers { { name = "refill", after = 3600, data = { to = 10 } } }
            :when { type = "Refill", data = { to = 5 } }:expect_state { left = 5 }:expect_timers {}
        stock:given {}:when { type = "Reserve", data = { quantity = 1 } }:expect_state { left = 9 }
        fails(function()
            stock:given {}:when { type = "Reserve", data = { quantity = 1 } }:expect_timers { { name = "refill" } }
        end)
    end)
end)

describe("a projection that a topic feeds", function()
    local orders = {
        { type = "IE_Placed", id = "1", data = { customer = "ada" } },
        { type = "shop.order.IE_Placed.v1", id = "2", data = { customer = "ada" } },
        { type = "IE_Other", data = {} },
    }
    it("counts", function()
        moonlog.projection "warehouse.totals":given_messages(orders)
            :expect_rows("Totals", { { Customer = "ada", Orders = 2, Last = "2" } })
        moonlog.projection "warehouse.totals":given_messages { orders[1] }:twice():expect_deterministic()
        moonlog.query "warehouse.totals":given_messages { orders[1] }:expect { { Customer = "ada", Orders = 1, Last = "1" } }
    end)
end)
