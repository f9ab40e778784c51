/* SPDX-License-Identifier: MIT */
#include "contract/store_rooms.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/memory/memory.h"
#include "store/sqlite/sqlite.h"

static void
expect_open(int result, const struct fault *fault)
{
	if (result == 0)
		return;
	fprintf(stderr, "open: %s: %s\n", fault->code, fault->text);
	exit(1);
}

static struct store *
open_memory(const struct clock *clock)
{
	struct store *store;
	struct fault fault;

	expect_open(memory_open(clock, &store, &fault), &fault);
	return store;
}

static char directory[64];

static struct store *
open_sqlite(const struct clock *clock)
{
	struct sqlite_options options = { .path = directory, .create = true, .no_sync = true, .clock = clock };
	struct store *store;
	struct fault fault;

	snprintf(directory, sizeof(directory), "/tmp/moonlog-contract-XXXXXX");
	if (mkdtemp(directory) == NULL)
		exit(1);
	expect_open(sqlite_open(&options, &store, &fault), &fault);
	return store;
}

/* A segment of the index is full every few entries, so every test goes through sealing. */
static struct store *
open_sealing(const struct clock *clock)
{
	struct sqlite_options options = {
		.path = directory, .create = true, .no_sync = true, .clock = clock, .segment_entries = 16
	};
	struct store *store;
	struct fault fault;

	snprintf(directory, sizeof(directory), "/tmp/moonlog-contract-XXXXXX");
	if (mkdtemp(directory) == NULL)
		exit(1);
	expect_open(sqlite_open(&options, &store, &fault), &fault);
	return store;
}

static void
close_sqlite(struct store *store)
{
	static const char *const files[] = { "moonlog.db", "moonlog.db-wal", "moonlog.db-shm", "moonlog.lock",
					     "witness" };
	char path[128];

	store_close(store);
	for (size_t i = 0; i < countof(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		unlink(path);
	}
	rmdir(directory);
}

const struct store_room store_rooms[] = {
	{ "memory", open_memory, store_close },
	{ "sqlite", open_sqlite, close_sqlite },
	{ "sqlite with small segments", open_sealing, close_sqlite },
};
const size_t store_room_count = countof(store_rooms);
