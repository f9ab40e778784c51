-- SPDX-License-Identifier: MIT
-- The bank: commands and its own reports; what happens goes to the topic banking-events.
return {
    data = "data/bank",
    listen = { "127.0.0.1:8082" },
    domains = { "../../domains/banking" },
    bus = "kafka",
    kafka = { brokers = "127.0.0.1:9092", service = "bank" },
}
