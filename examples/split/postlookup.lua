-- SPDX-License-Identifier: MIT
-- Looking posts up, made of the topic.
return {
    data = "data/postlookup",
    listen = { "127.0.0.1:5011" },
    domains = { "../../domains/postlookup" },
    bus = "kafka",
    kafka = { brokers = "127.0.0.1:9092", service = "postlookup" },
}
