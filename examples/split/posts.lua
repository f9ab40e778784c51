-- SPDX-License-Identifier: MIT
-- Posts: commands; what happens goes to the topic SocialMediaPostEvents.
return {
    data = "data/posts",
    listen = { "127.0.0.1:5010" },
    domains = { "../../domains/posts" },
    bus = "kafka",
    kafka = { brokers = "127.0.0.1:9092", service = "posts" },
}
