-- SPDX-License-Identifier: MIT
-- A configuration file: it returns one table. Every key can be left out; `moonlog config` prints them all with their
-- values and where each comes from. Paths are relative to this file's folder.
return {
    data = "/var/lib/moonlog",
    listen = { "127.0.0.1:8080" },
    domains = { "domains/banking" },

    log = { level = "info", format = "logfmt" },
    drain_seconds = 10,

    workers = 2, -- threads that decide commands; a stream belongs to one of them
    readers = 2, -- threads that answer queries, states and pages of the log

    limits = { queue_length = 1024, heap_bytes = "64MiB" },
    http = { body = "1MiB", connections = 10240 },
}
