/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints: only ever on the writer's connection, by the committer, never from a reader and never by themselves.
 * SQLite before 3.51.3 can lose committed pages when another connection checkpoints while the writer starts its log
 * file anew.
 *
 * How: small bites in the committer's idle moments; between commits that follow each other only past a higher bound,
 * because each bite holds them all up for as long as its two syncs take; in the path of a commit past a hard one. Past
 * a last one the writer waits for the readers of the moment, whose transactions are short, so that the log file begins
 * anew.
 * Fails: silently; the next bite tries again. What a commit promised is in the log file already.
 */
#include <sys/stat.h>
#include <time.h>

#include "store/sqlite/room.h"
#include "store/sqlite/witness.h"

#define PAGES(megabytes) ((uint64_t)(megabytes)*1024 * 1024 / SQLITE_ROOM_PAGE)
#define SOFT_PAGES       PAGES(2)
#define BUSY_PAGES       PAGES(8)
#define HARD_PAGES       PAGES(16)
#define WAIT_PAGES       PAGES(32)
#define WAIT_TURNS       250 /* of 200 microseconds */

static int
remember_pages(void *self, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_store *store = self;

	(void)db;
	(void)name;
	store->wal_pages = (uint64_t)pages;
	return SQLITE_OK;
}

static int
wait_for_readers(void *self, int turn)
{
	const struct timespec moment = { 0, 200000 };

	(void)self;
	nanosleep(&moment, NULL);
	return turn < WAIT_TURNS;
}

void
sqlite_wal_watch(struct sqlite_store *store)
{
	sqlite3_wal_hook(store->link.db, remember_pages, store);
}

static uint64_t
due(struct sqlite_store *store)
{
	if (store->wal_pages < store->checkpointed_pages)
		store->checkpointed_pages = 0; /* the log file began anew */
	return store->wal_pages - store->checkpointed_pages;
}

void
sqlite_measure(struct sqlite_store *store)
{
	struct stat found;
	uint64_t bytes = 0;

	if (stat(store->file, &found) == 0)
		bytes += (uint64_t)found.st_size;
	if (stat(store->log_file, &found) == 0)
		bytes += (uint64_t)found.st_size;
	__atomic_store_n(&store->stats.bytes_on_disk, bytes, __ATOMIC_RELAXED);
	store->measured = store->stats.commits;
}

static void
checkpoint(struct sqlite_store *store, int mode)
{
	int pages = 0, done = 0;

	if (mode != SQLITE_CHECKPOINT_PASSIVE)
		sqlite3_busy_handler(store->link.db, wait_for_readers, store);
	sqlite3_wal_checkpoint_v2(store->link.db, NULL, mode, &pages, &done);
	sqlite3_busy_timeout(store->link.db, 2000);
	if (done > 0)
		store->checkpointed_pages = (uint64_t)done;
	sqlite_measure(store);
	__atomic_store_n(&store->stats.syncs, store->stats.syncs + 2, __ATOMIC_RELAXED);
}

/* A reader that stays (another program's, say) must not make every commit wait for it. */
static void
wait_and_restart(struct sqlite_store *store)
{
	checkpoint(store, SQLITE_CHECKPOINT_RESTART);
	if (store->checkpointed_pages >= store->wal_pages)
		store->wal_pages = store->waited_pages = 0;
	else
		store->waited_pages = store->wal_pages;
}

void
sqlite_checkpoint_due(struct sqlite_store *store)
{
	if (due(store) >= HARD_PAGES)
		checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
	if (store->wal_pages >= WAIT_PAGES && store->wal_pages >= store->waited_pages + PAGES(8))
		wait_and_restart(store);
}

/* A moment that follows a commit is not idle yet: what only looks back waits for the next one. */
bool
sqlite_idle(struct store *base)
{
	struct sqlite_store *store = sqlite_store_of(base);
	bool busy = store->rested != store->stats.commits;

	if (store->read_only || store->failed)
		return false;
	store->rested = store->stats.commits;
	if (due(store) >= (busy ? BUSY_PAGES : SOFT_PAGES))
		checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
	if (busy) {
		sqlite_mend(store);
		return true;
	}
	if (store->measured != store->stats.commits)
		sqlite_measure(store);
	sqlite_witness_write(store);
	return sqlite_mend(store);
}
