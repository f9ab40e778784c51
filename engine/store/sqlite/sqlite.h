/* SPDX-License-Identifier: MIT */
/* The SQLite room of the store's door: one file, one process, one writer connection that also runs every checkpoint. */
#ifndef MOONLOG_STORE_SQLITE_SQLITE_H
#define MOONLOG_STORE_SQLITE_SQLITE_H

#include "base/entropy.h"
#include "store/store.h"

struct sqlite_options {
	/* the directory; the store is path/moonlog.db, path/moonlog.lock, path/witness */
	const char *path;
	bool create;    /* make directory (0700) and store when absent */
	bool read_only; /* beside a running daemon: no lock, no writer, store_commit refused */
	/* open although the witness knows a later or another head, and believe the log */
	bool accept_lost_tail;
	bool no_sync;                  /* sabotage for tests only: synchronous=OFF */
	uint64_t remember_ids;         /* command ids remembered at most; 0 = 10 million */
	int64_t remember_us;           /* and for how long; 0 = 7 days */
	uint32_t segment_entries;      /* for tests: entries a segment of the index; 0 = 131072 */
	const struct clock *clock;     /* NULL: the real one */
	const struct entropy *entropy; /* NULL: the real one */
	/*
	 * Called once, from the committing thread, when the store can take no more commits (a sync failed). May be
	 * NULL.
	 */
	void (*fatal)(void *self, const struct fault *fault);
	void *fatal_self;
};

/*
 * For a process that is ours alone, before anything is opened: SQLite then keeps no account of its memory, which takes
 * a lock of the whole process at each block, on every thread. A program that embeds the engine keeps what it has set.
 */
void sqlite_alone(void);

/*
 * Fails: CONFIG "store_locked" (another process has it), "not_a_store" (a file of another program), "newer_store"
 * (schema of a later version), "store_missing", "lost_tail" (the witness knows more than the log); CORRUPT; AWAY for
 * I/O.
 */
int sqlite_open(const struct sqlite_options *options, struct store **store, struct fault *fault);
/* Puts a verified backup in place of an absent or empty data directory, never over one that holds a store. */
int sqlite_restore(const char *backup, const char *directory, struct fault *fault);

#endif
