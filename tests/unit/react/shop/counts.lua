-- SPDX-License-Identifier: MIT
-- Hears the messages of another reactor, and events of its own domain.
return {
    name = "counts",
    topics = { "stock" },
    react = {
        ["order.Placed"] = function() return { { command = "stock.Reserve", id = "events", data = { n = 1 } } } end,
        IS_Reserved = function() return { { command = "stock.Reserve", id = "messages", data = { n = 1 } } } end,
    },
}
