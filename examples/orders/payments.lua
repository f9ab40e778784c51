-- SPDX-License-Identifier: MIT
-- Payments, a service of its own.
return {
    data = "data/payments",
    listen = { "127.0.0.1:5139" },
    domains = { "../../domains/payments" },
    bus = "kafka",
    kafka = { brokers = "127.0.0.1:9092", service = "payments" },
}
