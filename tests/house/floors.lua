-- SPDX-License-Identifier: MIT
-- The floors of docs/ARCHITECTURE.md as a table: who may include whom, and which room has which library.

local floors = {}

-- A room is a folder of engine/; `rooms` are the folders whose headers it may include besides its own.
floors.rooms = {
    ["base"] = {},
    ["model"] = { "base" },
    ["store"] = { "base", "model" },
    ["view"] = { "base", "model" },
    ["script"] = { "base", "model" },
    ["bus"] = { "base", "model" },
    ["store/memory"] = { "base", "model", "store" },
    ["store/sqlite"] = { "base", "model", "store" },
    ["view/memory"] = { "base", "model", "view" },
    ["view/sqlite"] = { "base", "model", "view" },
    ["script/lua"] = { "base", "model", "script" },
    -- The local bus has the store's door where others have a library: the log is its broker.
    ["bus/local"] = { "base", "model", "bus", "store" },
    ["bus/kafka"] = { "base", "model", "bus" },
    ["core"] = { "base", "model", "store", "view", "script", "bus" },
    ["http"] = { "base", "model", "core/engine.h" },
    ["daemon"] = {
        "base", "model", "store", "view", "script", "bus", "core", "http", "moonlog",
        "bus/local", "bus/kafka", "store/memory", "store/sqlite", "view/memory", "view/sqlite", "script/lua",
    },
    ["moonlog"] = {},
}

-- Headers of libraries, by pattern, and the only places that may include them. daemon/floors.c prints their versions.
floors.libraries = {
    { "^openssl/", "base/digest.c", "daemon/floors.c" },
    { "^sqlite3%.h$", "store/sqlite/", "view/sqlite/", "daemon/floors.c" },
    { "^l?u?alib%.h$", "script/lua/" },
    { "^lua%.h$", "script/lua/", "daemon/floors.c" },
    { "^lauxlib%.h$", "script/lua/" },
    { "^luaconf%.h$", "script/lua/" },
    { "^event2/", "http/", "daemon/floors.c" },
    { "^librdkafka/", "bus/kafka/", "daemon/floors.c" },
}

-- What every room has: the C library, POSIX, threads.
floors.system = {}
for name in ([[
    assert ctype errno inttypes limits locale malloc math setjmp signal stdalign stdarg stdatomic stdbool stddef
    stdint stdio stdlib string strings time unistd fcntl poll pthread sched dirent getopt glob grp pwd netdb termios
    float libgen spawn sysexits
]]):gmatch("%S+") do
    floors.system[name .. ".h"] = true
end
floors.system_folders = { "^sys/", "^arpa/", "^netinet/", "^linux/" }

return floors
