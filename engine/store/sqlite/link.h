/* SPDX-License-Identifier: MIT */
/*
 * A link: one SQLite connection with its prepared statements. The writer has one, each reader has one of its own; used
 * by one thread at a time. Statements are prepared at their first use and kept.
 */
#ifndef MOONLOG_STORE_SQLITE_LINK_H
#define MOONLOG_STORE_SQLITE_LINK_H

#include <sqlite3.h>

#include "base/fault.h"
#include "base/slice.h"

enum link_sql {
	SQL_BEGIN,
	SQL_BEGIN_WRITE,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_INSERT_ENTRY,
	SQL_INSERT_BARE,
	SQL_INSERT_STREAM,
	SQL_INSERT_TYPE,
	SQL_PUT_RECORD,
	SQL_REMOVE_RECORD,
	SQL_GET_RECORD,
	SQL_RECORD_BEFORE,
	SQL_LIST_RECORDS,
	SQL_NEXT_SPACE,
	SQL_ENTRY_AT,
	SQL_ENTRIES_AT,
	SQL_ENTRIES_AFTER,
	SQL_HEAD,
	SQL_LAST_STREAM,
	SQL_LAST_BARE,
	SQL_NARROW_AT,
	SQL_BARE_AT,
	SQL_TAIL_ENTRIES,
	SQL_WALK_ENTRIES, /* the same, for walks that are made while a tail is replayed */
	SQL_TAIL_BARES,
	SQL_TAIL_STREAMS,
	SQL_STREAM_NAME,
	SQL_LIST_STREAMS,
	SQL_COUNT_STREAMS,
	SQL_TYPES,
	SQL_KNOWN_TYPES,
	SQL_SCAN_TYPES,
	SQL_PUT_KNOWN_TYPE,
	SQL_STREAM_BLOCK,
	SQL_HASH_BLOCK,
	SQL_PUT_STREAM_KEY,
	SQL_PUT_STREAM_BLOCK,
	SQL_PUT_HASH_BLOCK,
	SQL_PUT_SEGMENT,
	SQL_SEGMENTS,
	SQL_SEGMENT,
	SQL_DROP_HASH_BLOCKS,
	SQL_DROP_HASHES,
	SQL_DROP_STREAM_KEYS,
	SQL_DROP_STREAM_BLOCKS,
	SQL_ALL_RECORDS,
	SQL_ALL_STREAM_BLOCKS,
	SQL_ALL_HASH_BLOCKS,
	SQL_COUNT
};

struct link {
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT];
};

#define LINK_PATH_SIZE 4200

/* A path as SQLite takes it for one: a relative "file:x" would be an URI. Gives `path`, or `plain` with that in it. */
const char *link_path(const char *path, char plain[LINK_PATH_SIZE]);
/* Fails: as link_fault says. The link is closed then. */
int link_open(struct link *link, const char *path, int flags, struct fault *fault);
void link_close(struct link *link);

/* The statement, ready for its first bind; NULL with a fault. */
sqlite3_stmt *link_use(struct link *link, enum link_sql sql, struct fault *fault);
/* Runs to its end, resets. Gives 0, or -1 with a fault. */
int link_run(struct link *link, enum link_sql sql, struct fault *fault);
/* One step: 1 a row, 0 the end, -1 with a fault. */
int link_step(struct link *link, sqlite3_stmt *statement, struct fault *fault);
int link_exec(struct link *link, const char *sql, struct fault *fault);
/* A fault from SQLite's last error on this link, with its class: FULL, MEMORY, BUSY, CORRUPT, AWAY or BUG. Gives -1. */
int link_fault(struct link *link, const char *doing, struct fault *fault);

static inline void
link_bind_slice(sqlite3_stmt *statement, int index, struct slice bytes)
{
	sqlite3_bind_blob(statement, index, bytes.data != NULL ? bytes.data : "", (int)bytes.size, SQLITE_STATIC);
}

static inline void
link_bind_text(sqlite3_stmt *statement, int index, struct slice text)
{
	sqlite3_bind_text(statement, index, text.data != NULL ? text.data : "", (int)text.size, SQLITE_STATIC);
}

static inline void
link_bind_int(sqlite3_stmt *statement, int index, uint64_t number)
{
	sqlite3_bind_int64(statement, index, (sqlite3_int64)number);
}

static inline uint64_t
link_int(sqlite3_stmt *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement, column);
}

/* Borrowed until the next step or reset. */
static inline struct slice
link_slice(sqlite3_stmt *statement, int column)
{
	const void *bytes = sqlite3_column_blob(statement, column);

	return slice_from(bytes, (size_t)sqlite3_column_bytes(statement, column));
}

#endif
