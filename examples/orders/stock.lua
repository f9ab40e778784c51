-- SPDX-License-Identifier: MIT
-- Stock, a service of its own.
return {
    data = "data/stock",
    listen = { "127.0.0.1:5122" },
    domains = { "../../domains/stock" },
    bus = "kafka",
    kafka = { brokers = "127.0.0.1:9092", service = "stock" },
}
