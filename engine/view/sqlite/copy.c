/* SPDX-License-Identifier: MIT */
/*
 * A copy of a read model while it is written to and read.
 *
 * A connection of its own holds one snapshot and SQLite's backup takes its pages over in steps, into a file named
 * FILE.part. Neither the writer nor a reader waits for it; what it costs is that the WAL, which a snapshot holds back,
 * grows by what is written meanwhile. The copy is synced once and only then gets its name, so a file that has the name
 * is whole, also after a power loss; a FILE.part is of a copy that was broken off and is removed.
 *
 * Fails: FULL, AWAY and the like leave no file behind; what is copied from never changes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "view/sqlite/inside.h"
#include "view/sqlite/view_sqlite.h"

#define STEP_PAGES 256
#define PATH_SIZE  4096

struct copying {
	struct view_sqlite_connection from;
	struct view_sqlite_connection to;
	const struct view_copy *how;
	int file; /* for hints to the kernel; SQLite's locks on a .part mean nothing to anybody */
};

static int
open_both(struct copying *copying, const char *from, const char *to, struct fault *fault)
{
	if (view_sqlite_connect(&copying->from, from, SQLITE_OPEN_READONLY, fault) != 0)
		return -1;
	/* The first read of a transaction takes the snapshot. */
	if (view_sqlite_execute(&copying->from,
				"PRAGMA query_only = ON; PRAGMA cache_size = -1024; PRAGMA mmap_size = 0; "
				"PRAGMA wal_autocheckpoint = 0; BEGIN; SELECT 1 FROM moonlog_checkpoints LIMIT 1",
				fault) != 0 ||
	    view_sqlite_connect(&copying->to, to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, fault) != 0)
		return -1;
	copying->file = open(to, O_RDONLY | O_CLOEXEC);
	return view_sqlite_execute(&copying->to,
				   "PRAGMA journal_mode = OFF; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -1024",
				   fault);
}

static bool
is_stopped(const struct view_copy *how)
{
	return how->stop != NULL && atomic_load(how->stop);
}

/* Writing begins early and goes on evenly: one long sync would hold up the store's short ones. */
static void
hint(const struct copying *copying)
{
	if (copying->file >= 0)
		sync_file_range(copying->file, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static int
copy_pages(struct copying *copying, struct fault *fault)
{
	int code = SQLITE_OK;
	sqlite3_backup *backup = sqlite3_backup_init(copying->to.db, "main", copying->from.db, "main");
	if (backup == NULL)
		return view_sqlite_fault(&copying->to, sqlite3_errcode(copying->to.db), fault);
	while (code == SQLITE_OK && !is_stopped(copying->how)) {
		code = sqlite3_backup_step(backup, STEP_PAGES);
		hint(copying);
	}
	int last = sqlite3_backup_finish(backup);
	if (code == SQLITE_OK)
		return fault_set(fault, FAULT_TIMEOUT, "copy_stopped", "%s: the copy was broken off",
				 copying->how->path);
	return last == SQLITE_OK ? 0 : view_sqlite_fault(&copying->to, last, fault);
}

static int
copy_file(const char *from, const char *to, const struct view_copy *how, struct fault *fault)
{
	struct copying *copying = calloc(1, sizeof(*copying));
	int result = -1;
	if (copying == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to copy %s", from);
	copying->how = how;
	copying->file = -1;
	copying->from.known = true;
	if (open_both(copying, from, to, fault) == 0)
		result = copy_pages(copying, fault);
	if (copying->file >= 0)
		close(copying->file);
	if (copying->to.db != NULL)
		view_sqlite_disconnect(&copying->to);
	if (copying->from.db != NULL)
		view_sqlite_disconnect(&copying->from);
	free(copying);
	return result;
}

int
view_sqlite_copy(const char *from, const struct view_copy *how, struct view **view, struct fault *fault)
{
	char part[PATH_SIZE];
	int size = snprintf(part, sizeof(part), "%s.part", how->path);
	if (size < 0 || size >= PATH_SIZE)
		return fault_set(fault, FAULT_CONFIG, "bad_path", "%s: too long", how->path);
	if (view_sqlite_remove(how->path, fault) != 0)
		return -1;
	if (copy_file(from, part, how, fault) != 0)
		goto failed;
	if (rename(part, how->path) != 0) {
		fault_errno(fault, FAULT_AWAY, errno, "%s cannot be renamed to %s", part, how->path);
		goto failed;
	}
	if (view_sqlite_open(how->path, false, how->tables, how->table_count, view, fault) == 0)
		return 0;
failed:
	view_sqlite_remove(how->path, NULL);
	return -1;
}
