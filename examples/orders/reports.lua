-- SPDX-License-Identifier: MIT
-- Their statistics, made of what the orders publish.
return {
    data = "data/orderreports",
    listen = { "127.0.0.1:5168" },
    domains = { "../../domains/orderreports" },
    bus = "kafka",
    kafka = { brokers = "127.0.0.1:9092", service = "orderreports" },
}
