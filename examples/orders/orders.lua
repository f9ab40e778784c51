-- SPDX-License-Identifier: MIT
-- Orders, a service of its own.
return {
    data = "data/orders",
    listen = { "127.0.0.1:5147" },
    domains = { "../../domains/orders" },
    bus = "kafka",
    kafka = { brokers = "127.0.0.1:9092", service = "orders" },
}
