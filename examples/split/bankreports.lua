-- SPDX-License-Identifier: MIT
-- The bank's reports by themselves, made of the topic.
return {
    data = "data/bankreports",
    listen = { "127.0.0.1:8084" },
    domains = { "../../domains/bankreports" },
    bus = "kafka",
    kafka = { brokers = "127.0.0.1:9092", service = "bankreports" },
}
