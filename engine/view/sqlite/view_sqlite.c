/* SPDX-License-Identifier: MIT */
/*
 * Read-model tables of one domain in one SQLite file, with the checkpoints of its projections beside the rows.
 *
 * One writer connection in WAL mode with synchronous=NORMAL: a commit costs no sync, and after a power loss the
 * file stands at an older whole batch, from which its projections go on [I6]. The writer also runs every checkpoint
 * of the WAL (automatic ones are off): in idle moments, and after a commit when the WAL has grown past
 * WAL_PAGES_MAX.
 *
 * Fails: a file of another program or a newer version is left untouched (CONFIG); damage is CORRUPT and says that the
 * file may be deleted. A failed commit leaves the batch open for view_rollback.
 */
#include "view/sqlite/view_sqlite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/probe.h"
#include "view/sqlite/inside.h"

#define WAL_PAGES_MAX  12000 /* 48 MB: fewer checkpoints write a page that changes often fewer times */
#define WAL_PAGES_IDLE 64
#define WAL_PAGES_HINT 256
#define WAL_FRAME_SIZE 4120 /* a page and its header */

struct sqlite_view {
	struct view view;
	char *path;
	struct view_sqlite_writer writer;
	bool begun;
	bool saved;    /* a savepoint is open */
	int wal_pages; /* after the last commit */
	int wal_file;  /* for hints to the kernel; -1: not open */
	int wal_told;  /* pages that were hinted at */
	int wal_bound; /* checkpoint when the WAL is larger */
};

static struct sqlite_view *
sqlite_of(struct view *view)
{
	return container_of(view, struct sqlite_view, view);
}

/* ---- opening ---- */

static int
on_wal(void *self, sqlite3 *db, const char *name, int pages)
{
	(void)db;
	(void)name;
	((struct sqlite_view *)self)->wal_pages = pages;
	return SQLITE_OK;
}

static int
open_writer(struct sqlite_view *sqlite, struct fault *fault)
{
	struct view_sqlite_connection *connection = &sqlite->writer.connection;
	bool empty;
	if (view_sqlite_make_folder(sqlite->path, fault) != 0 || view_sqlite_remove_part(sqlite->path, fault) != 0 ||
	    view_sqlite_connect(connection, sqlite->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, fault) != 0 ||
	    view_sqlite_check_file(connection, sqlite->path, &empty, fault) != 0 ||
	    view_sqlite_execute(
		    connection,
		    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; "
		    "PRAGMA cache_size = -24576; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; "
		    "PRAGMA trusted_schema = OFF",
		    fault) != 0)
		return -1;
	if (empty && view_sqlite_mark_file(connection, fault) != 0)
		return -1;
	sqlite3_wal_hook(connection->db, on_wal, sqlite);
	return view_sqlite_prepare_file(connection, fault);
}

static int
open_beside(struct sqlite_view *sqlite, struct fault *fault)
{
	struct view_sqlite_connection *connection = &sqlite->writer.connection;
	bool empty;
	if (view_sqlite_connect(connection, sqlite->path, SQLITE_OPEN_READONLY, fault) != 0 ||
	    view_sqlite_check_file(connection, sqlite->path, &empty, fault) != 0)
		return -1;
	if (empty)
		return fault_set(fault, FAULT_CONFIG, "view_missing", "%s: there is no read model yet", sqlite->path);
	return 0;
}

/* ---- batches ---- */

static int
sqlite_begin(struct view *view, struct fault *fault)
{
	struct sqlite_view *sqlite = sqlite_of(view);
	must(!sqlite->begun);
	fault_clear(&sqlite->writer.broken);
	if (view_sqlite_execute(&sqlite->writer.connection, "BEGIN IMMEDIATE", fault) != 0)
		return -1;
	sqlite->begun = true;
	return 0;
}

static void
sqlite_rollback(struct view *view)
{
	struct sqlite_view *sqlite = sqlite_of(view);
	if (!sqlite->begun)
		return;
	/* Fails only when SQLite has rolled back by itself. */
	sqlite3_exec(sqlite->writer.connection.db, "ROLLBACK", NULL, NULL, NULL);
	view_sqlite_cache_clear(&sqlite->writer.cache);
	sqlite->begun = sqlite->saved = false;
}

static const struct row_port *
sqlite_rows(struct view *view)
{
	return &sqlite_of(view)->writer.port;
}

static int
sqlite_savepoint(struct view *view, struct fault *fault)
{
	struct sqlite_view *sqlite = sqlite_of(view);
	must(sqlite->begun);
	if (view_sqlite_flush(&sqlite->writer, fault) != 0 ||
	    (sqlite->saved && view_sqlite_execute(&sqlite->writer.connection, "RELEASE entry", fault) != 0) ||
	    view_sqlite_execute(&sqlite->writer.connection, "SAVEPOINT entry", fault) != 0)
		return -1;
	sqlite->saved = true;
	return 0;
}

static int
sqlite_undo(struct view *view, struct fault *fault)
{
	struct sqlite_view *sqlite = sqlite_of(view);
	must(sqlite->begun && sqlite->saved);
	view_sqlite_cache_clear(&sqlite->writer.cache);
	return view_sqlite_execute(&sqlite->writer.connection, "ROLLBACK TO entry", fault);
}

/* A reader's snapshot can hold the WAL back: then try again only after it has grown by as much once more. */
static void
copy_wal(struct sqlite_view *sqlite)
{
	int pages = 0, copied = 0;
	int code = sqlite3_wal_checkpoint_v2(sqlite->writer.connection.db, "main", SQLITE_CHECKPOINT_PASSIVE, &pages,
					     &copied);
	bool whole = code == SQLITE_OK && copied >= pages;
	sqlite->wal_bound = whole ? WAL_PAGES_MAX : sqlite->wal_pages + WAL_PAGES_MAX;
	if (whole)
		sqlite->wal_pages = 0;
}

/*
 * Lets the disk begin early with what the next checkpoint will sync: a long sync would hold up the store's short ones.
 * SQLite takes no lock on the WAL file, so opening it once more loses none.
 */
static void
hint_wal(struct sqlite_view *sqlite)
{
	if (sqlite->wal_pages < sqlite->wal_told)
		sqlite->wal_told = 0;
	if (sqlite->wal_pages - sqlite->wal_told < WAL_PAGES_HINT)
		return;
	if (sqlite->wal_file < 0) {
		const char *name = sqlite3_filename_wal(sqlite3_db_filename(sqlite->writer.connection.db, "main"));
		sqlite->wal_file = open(name, O_RDONLY | O_CLOEXEC);
	}
	off_t from = (off_t)sqlite->wal_told * WAL_FRAME_SIZE,
	      size = (off_t)(sqlite->wal_pages - sqlite->wal_told) * WAL_FRAME_SIZE;
	if (sqlite->wal_file >= 0)
		sync_file_range(sqlite->wal_file, from, size, SYNC_FILE_RANGE_WRITE);
	sqlite->wal_told = sqlite->wal_pages;
}

static int
sqlite_mark(struct view *view, const struct view_checkpoint *checkpoint, struct fault *fault)
{
	must(sqlite_of(view)->begun);
	return view_sqlite_move(&sqlite_of(view)->writer.connection, checkpoint, fault);
}

static int
sqlite_commit(struct view *view, const struct view_checkpoint *checkpoint, struct fault *fault)
{
	struct sqlite_view *sqlite = sqlite_of(view);
	must(sqlite->begun);
	if (view_sqlite_flush(&sqlite->writer, fault) != 0)
		return -1;
	if (sqlite->writer.broken.class != FAULT_NONE) {
		*fault = sqlite->writer.broken;
		return -1;
	}
	if (PROBE("view.before_commit"))
		return fault_set(fault, FAULT_AWAY, "view_io", "%s: probe", sqlite->path);
	if (view_sqlite_move(&sqlite->writer.connection, checkpoint, fault) != 0 ||
	    view_sqlite_execute(&sqlite->writer.connection, "COMMIT", fault) != 0)
		return -1;
	sqlite->begun = sqlite->saved = false;
	hint_wal(sqlite);
	if (sqlite->wal_pages >= sqlite->wal_bound)
		copy_wal(sqlite);
	return 0;
}

static void
sqlite_idle(struct view *view)
{
	struct sqlite_view *sqlite = sqlite_of(view);
	if (!sqlite->begun && sqlite->wal_pages >= WAL_PAGES_IDLE)
		copy_wal(sqlite);
}

/* ---- definitions ---- */

static int
sqlite_define(struct view *view, struct slice projection, const uint8_t hash[32], const struct table *tables,
	      const uint16_t *numbers, size_t count, struct fault *fault)
{
	struct sqlite_view *sqlite = sqlite_of(view);
	must(!sqlite->begun && tables == view->tables);
	view_sqlite_cache_clear(&sqlite->writer.cache);
	return view_sqlite_define(&sqlite->writer.connection, projection, hash, numbers, count, fault);
}

static int
sqlite_reset(struct view *view, struct slice projection, const struct table *tables, const uint16_t *numbers,
	     size_t count, struct fault *fault)
{
	struct sqlite_view *sqlite = sqlite_of(view);
	must(!sqlite->begun && tables == view->tables);
	view_sqlite_cache_clear(&sqlite->writer.cache);
	return view_sqlite_reset(&sqlite->writer.connection, projection, numbers, count, fault);
}

static int
sqlite_checkpoint(struct view *view, struct slice projection, struct arena *arena, struct view_checkpoint *checkpoint,
		  bool *found, struct fault *fault)
{
	return view_sqlite_checkpoint(&sqlite_of(view)->writer.connection, projection, arena, checkpoint, found, fault);
}

static int
sqlite_reader_open(struct view *view, struct view_reader **reader, struct fault *fault)
{
	return view_sqlite_reader_open(view, sqlite_of(view)->path, reader, fault);
}

static int
sqlite_copy(struct view *view, const struct view_copy *how, struct view **copy, struct fault *fault)
{
	return view_sqlite_copy(sqlite_of(view)->path, how, copy, fault);
}

static void
sqlite_close(struct view *view)
{
	struct sqlite_view *sqlite = sqlite_of(view);
	sqlite_rollback(view);
	view_sqlite_disconnect(&sqlite->writer.connection);
	if (sqlite->wal_file >= 0)
		close(sqlite->wal_file);
	view_sqlite_writer_fini(&sqlite->writer);
	free(sqlite->path);
	free(sqlite);
}

static const struct view_ops sqlite_ops = {
	.close = sqlite_close,
	.define = sqlite_define,
	.checkpoint = sqlite_checkpoint,
	.begin = sqlite_begin,
	.rows = sqlite_rows,
	.savepoint = sqlite_savepoint,
	.undo = sqlite_undo,
	.mark = sqlite_mark,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.reset = sqlite_reset,
	.idle = sqlite_idle,
	.copy = sqlite_copy,
	.reader_open = sqlite_reader_open,
	.reader_close = view_sqlite_reader_close,
	.reader_begin = view_sqlite_reader_begin,
	.reader_rows = view_sqlite_reader_rows,
	.reader_end = view_sqlite_reader_end,
};

int
view_sqlite_open(const char *path, bool read_only, const struct table *tables, size_t table_count, struct view **view,
		 struct fault *fault)
{
	must(table_count < UINT16_MAX);
	struct sqlite_view *sqlite = calloc(1, sizeof(*sqlite));
	if (sqlite == NULL || (sqlite->path = strdup(path)) == NULL) {
		free(sqlite);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the read model");
	}
	sqlite->view = (struct view){ &sqlite_ops, tables, table_count };
	sqlite->wal_bound = WAL_PAGES_MAX;
	sqlite->wal_file = -1;
	sqlite->writer.connection.tables = tables;
	sqlite->writer.connection.table_count = table_count;
	int result = view_sqlite_writer_init(&sqlite->writer, fault);
	if (result == 0)
		result = read_only ? open_beside(sqlite, fault) : open_writer(sqlite, fault);
	if (result != 0) {
		sqlite_close(&sqlite->view);
		return -1;
	}
	*view = &sqlite->view;
	return 0;
}
