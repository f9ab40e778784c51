/* SPDX-License-Identifier: MIT */
/* What the files of this room share; README.md tells which does what. */
#ifndef MOONLOG_VIEW_SQLITE_INSIDE_H
#define MOONLOG_VIEW_SQLITE_INSIDE_H

#include <sqlite3.h>

#include "base/buf.h"
#include "view/rows.h"
#include "view/view.h"

/* ---- connection.c: a connection and its prepared statements ---- */

#define VIEW_SQLITE_STATEMENTS 256

struct view_sqlite_statement {
	sqlite3_stmt *statement;
	struct slice key; /* own memory */
	uint64_t hash;
	uint64_t used; /* turn of the last use */
};

struct view_sqlite_connection {
	sqlite3 *db;
	bool known; /* the file was seen to be a read model: from then on damage is damage */
	const struct table *tables;
	size_t table_count;
	struct buf sql; /* scratch for building statements */
	uint64_t turn;
	size_t statement_count;
	struct view_sqlite_statement statements[VIEW_SQLITE_STATEMENTS];
};

/* Fails: CONFIG "view_missing", "not_a_view"; CORRUPT; AWAY. */
int view_sqlite_connect(struct view_sqlite_connection *connection, const char *path, int flags, struct fault *fault);
void view_sqlite_disconnect(struct view_sqlite_connection *connection);
/* The statement of this key; NULL when it is not prepared yet. It is reset and has no bindings. */
sqlite3_stmt *view_sqlite_find_statement(struct view_sqlite_connection *connection, struct slice key);
/* Prepares connection->sql as the statement of this key (an old one makes room). NULL: *fault says. */
sqlite3_stmt *view_sqlite_add_statement(struct view_sqlite_connection *connection, struct slice key,
					struct fault *fault);
/* The statement whose key is connection->sql itself. */
sqlite3_stmt *view_sqlite_by_text(struct view_sqlite_connection *connection, struct fault *fault);
void view_sqlite_forget_statements(struct view_sqlite_connection *connection);
int view_sqlite_execute(struct view_sqlite_connection *connection, const char *sql, struct fault *fault);
/* From a result code of this connection's. Gives -1. */
int view_sqlite_fault(struct view_sqlite_connection *connection, int code, struct fault *fault);
/* Texts are borrowed by the statement until it is reset. */
void view_sqlite_bind(sqlite3_stmt *statement, int number, const struct column *column, const struct cell *cell);
/* The statement's present row as cells whose texts are the statement's, valid until its next step. */
void view_sqlite_columns(sqlite3_stmt *statement, uint16_t count, struct cell *cells);
/* `from` into `arena`, texts copied. */
int view_sqlite_give(const struct cell *from, uint16_t count, struct arena *arena, struct row *row,
		     struct fault *fault);
void view_sqlite_quote(struct buf *sql, struct slice name);
/* Steps a statement that gives no rows and resets it. Gives SQLite's code. */
int view_sqlite_run(sqlite3_stmt *statement);

/* ---- files.c: the file as a whole ---- */

int view_sqlite_make_folder(const char *path, struct fault *fault);
/* Nothing is written before this has passed. Fails: CONFIG "not_a_view", "newer_view"; CORRUPT. */
int view_sqlite_check_file(struct view_sqlite_connection *connection, const char *path, bool *empty,
			   struct fault *fault);
/* What a copy that was broken off has left. */
int view_sqlite_remove_part(const char *path, struct fault *fault);
int view_sqlite_mark_file(struct view_sqlite_connection *connection, struct fault *fault);

/* ---- tables.c: definitions ---- */

/* Makes moonlog_checkpoints and moonlog_tables; drops tables that the program has no more. */
int view_sqlite_prepare_file(struct view_sqlite_connection *connection, struct fault *fault);
int view_sqlite_define(struct view_sqlite_connection *connection, struct slice projection, const uint8_t hash[32],
		       const uint16_t *numbers, size_t count, struct fault *fault);
int view_sqlite_reset(struct view_sqlite_connection *connection, struct slice projection, const uint16_t *numbers,
		      size_t count, struct fault *fault);
int view_sqlite_checkpoint(struct view_sqlite_connection *connection, struct slice projection, struct arena *arena,
			   struct view_checkpoint *checkpoint, bool *found, struct fault *fault);
int view_sqlite_move(struct view_sqlite_connection *connection, const struct view_checkpoint *checkpoint,
		     struct fault *fault);

/* ---- find.c: reading rows through any connection ---- */

/* cells: column_count of them, texts borrowed from *statement, which the caller resets. */
int view_sqlite_read(struct view_sqlite_connection *connection, uint16_t number, const struct cell *key,
		     struct cell *cells, sqlite3_stmt **statement, bool *found, struct fault *fault);
int view_sqlite_find(struct view_sqlite_connection *connection, const struct row_query *query, struct arena *arena,
		     struct row **rows, size_t *count, struct fault *fault);
int view_sqlite_count(struct view_sqlite_connection *connection, const struct row_query *query, uint64_t *count,
		      struct fault *fault);
/* At most `limit` rows in key order after a key (NULL: from the first). */
int view_sqlite_scan(struct view_sqlite_connection *connection, uint16_t number, const struct cell *after,
		     uint32_t limit, struct arena *arena, struct row **rows, size_t *count, struct fault *fault);
int view_sqlite_remove_where(struct view_sqlite_connection *connection, uint16_t number, const struct filter *filters,
			     size_t count, uint64_t *removed, struct fault *fault);

/* ---- cache.c: rows that were read or changed in this batch or before ---- */

struct view_sqlite_row {
	struct view_sqlite_row *next; /* of the same bucket */
	uint64_t hash;
	uint16_t table;
	bool queued;      /* in the list of rows to write */
	uint64_t changed; /* bit a column not yet written; the last bit stands for all from 63 on */
	size_t bytes;
	struct cell *cells; /* one block with its texts */
};

struct view_sqlite_cache {
	struct view_sqlite_row **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	size_t bytes;
	struct view_sqlite_row **queue; /* rows with changes */
	size_t queue_count;
	size_t queue_room;
};

struct view_sqlite_row *view_sqlite_cache_find(struct view_sqlite_cache *cache, const struct table *table,
					       uint16_t number, const struct cell *key);
/* A clean row; must not be there yet. NULL: no memory. */
struct view_sqlite_row *view_sqlite_cache_add(struct view_sqlite_cache *cache, const struct table *table,
					      uint16_t number, const struct cell *cells);
/* New cells for a row, `changed` to be written later. Fails: MEMORY, the row stays as it was. */
int view_sqlite_cache_change(struct view_sqlite_cache *cache, const struct table *table, struct view_sqlite_row *row,
			     const struct cell *cells, uint64_t changed, struct fault *fault);
/* Forgets one row and what was to be written of it. */
void view_sqlite_cache_forget(struct view_sqlite_cache *cache, struct view_sqlite_row *row);
void view_sqlite_cache_forget_table(struct view_sqlite_cache *cache, uint16_t number);
void view_sqlite_cache_clear(struct view_sqlite_cache *cache);
void view_sqlite_cache_fini(struct view_sqlite_cache *cache);

/* ---- write.c: the row port of a batch ---- */

struct view_sqlite_writer {
	struct view_sqlite_connection connection;
	struct view_sqlite_cache cache;
	struct cell *scratch; /* cells of the widest table */
	struct fault broken;  /* of a call in this batch that may have undone part of it: the commit refuses with it */
	struct row_port port;
};

int view_sqlite_writer_init(struct view_sqlite_writer *writer, struct fault *fault);
void view_sqlite_writer_fini(struct view_sqlite_writer *writer);
/* Writes what the cache holds back. */
int view_sqlite_flush(struct view_sqlite_writer *writer, struct fault *fault);

static inline uint64_t
view_sqlite_bit(uint16_t column)
{
	return UINT64_C(1) << (column < 63 ? column : 63);
}

/* ---- copy.c ---- */

/* `from`: path of the file to copy, of which only committed batches are seen. */
int view_sqlite_copy(const char *from, const struct view_copy *how, struct view **view, struct fault *fault);

/* ---- reader.c ---- */

int view_sqlite_reader_open(struct view *view, const char *path, struct view_reader **reader, struct fault *fault);
void view_sqlite_reader_close(struct view_reader *reader);
int view_sqlite_reader_begin(struct view_reader *reader, struct fault *fault);
const struct row_port *view_sqlite_reader_rows(struct view_reader *reader);
void view_sqlite_reader_end(struct view_reader *reader);

#endif
