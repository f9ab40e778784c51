/* SPDX-License-Identifier: MIT */
/*
 * Readers: one read-only connection each, one snapshot from begin to end.
 *
 * SQLite takes a snapshot at the first read of a transaction, so begin reads a row at once. A reader never runs a
 * checkpoint and never waits for the writer.
 */
#include <stdlib.h>

#include "view/sqlite/inside.h"

struct sqlite_reader {
	struct view_reader reader;
	struct view_sqlite_connection connection;
	struct cell *scratch;
	struct row_port port;
	bool begun;
	bool scanned;
};

static struct sqlite_reader *
reader_of(struct view_reader *reader)
{
	return container_of(reader, struct sqlite_reader, reader);
}

static int
port_get(void *self, uint16_t number, const struct cell *key, struct arena *arena, struct row *row, bool *found,
	 struct fault *fault)
{
	struct sqlite_reader *reader = self;
	sqlite3_stmt *statement;
	must(number < reader->connection.table_count);
	const struct table *table = &reader->connection.tables[number];
	if (rows_check_key(table, key, fault) != 0 ||
	    view_sqlite_read(&reader->connection, number, key, reader->scratch, &statement, found, fault) != 0)
		return -1;
	if (!*found)
		return 0;
	int result = view_sqlite_give(reader->scratch, table->column_count, arena, row, fault);
	sqlite3_reset(statement);
	return result;
}

static int
port_find(void *self, const struct row_query *query, struct arena *arena, struct row **rows, size_t *count,
	  struct fault *fault)
{
	struct sqlite_reader *reader = self;
	must(query->table < reader->connection.table_count);
	return view_sqlite_find(&reader->connection, query, arena, rows, count, fault);
}

static int
port_count(void *self, const struct row_query *query, uint64_t *count, struct fault *fault)
{
	struct sqlite_reader *reader = self;
	must(query->table < reader->connection.table_count);
	return view_sqlite_count(&reader->connection, query, count, fault);
}

static int
port_scan(void *self, uint16_t number, const struct cell *after, uint32_t limit, struct arena *arena, struct row **rows,
	  size_t *count, struct fault *fault)
{
	struct sqlite_reader *reader = self;
	must(number < reader->connection.table_count);
	/* Keys are mostly random, so each row of a walk lies on another page: a small cache would never hold it. */
	if (!reader->scanned && view_sqlite_execute(&reader->connection, "PRAGMA cache_size = -32768", fault) != 0)
		return -1;
	reader->scanned = true;
	return view_sqlite_scan(&reader->connection, number, after, limit, arena, rows, count, fault);
}

/* A statement without parameters, kept prepared: a query begins and ends with such. */
static int
run(struct view_sqlite_connection *connection, const char *sql, struct fault *fault)
{
	buf_clear(&connection->sql);
	buf_text(&connection->sql, sql);
	sqlite3_stmt *statement = view_sqlite_by_text(connection, fault);
	if (statement == NULL)
		return -1;
	int code = view_sqlite_run(statement);
	return code == SQLITE_OK ? 0 : view_sqlite_fault(connection, code, fault);
}

void
view_sqlite_reader_close(struct view_reader *reader)
{
	struct sqlite_reader *made = reader_of(reader);
	view_sqlite_reader_end(reader);
	view_sqlite_disconnect(&made->connection);
	free(made->scratch);
	free(made);
}

int
view_sqlite_reader_open(struct view *view, const char *path, struct view_reader **reader, struct fault *fault)
{
	size_t widest = 1;
	struct sqlite_reader *made = calloc(1, sizeof(*made));
	for (size_t i = 0; i < view->table_count; i++)
		if (view->tables[i].column_count > widest)
			widest = view->tables[i].column_count;
	struct cell *scratch = calloc(widest, sizeof(*scratch));
	if (made == NULL || scratch == NULL) {
		free(made);
		free(scratch);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a reader");
	}
	made->scratch = scratch;
	made->reader.view = view;
	made->connection.known = true;
	made->connection.tables = view->tables;
	made->connection.table_count = view->table_count;
	if (view_sqlite_connect(&made->connection, path, SQLITE_OPEN_READONLY, fault) != 0 ||
	    view_sqlite_execute(&made->connection,
				"PRAGMA query_only = ON; PRAGMA cache_size = -2048; PRAGMA mmap_size = 0; "
				"PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY",
				fault) != 0) {
		view_sqlite_reader_close(&made->reader);
		return -1;
	}
	made->port = (struct row_port){
		.tables = view->tables,
		.table_count = (uint16_t)view->table_count,
		.writable = false,
		.self = made,
		.get = port_get,
		.find = port_find,
		.count = port_count,
		.scan = port_scan,
	};
	*reader = &made->reader;
	return 0;
}

int
view_sqlite_reader_begin(struct view_reader *reader, struct fault *fault)
{
	struct sqlite_reader *made = reader_of(reader);
	must(!made->begun);
	if (run(&made->connection, "BEGIN", fault) != 0)
		return -1;
	made->begun = true;
	if (run(&made->connection, "SELECT 1 FROM moonlog_checkpoints LIMIT 1", fault) != 0) {
		view_sqlite_reader_end(reader);
		return -1;
	}
	return 0;
}

const struct row_port *
view_sqlite_reader_rows(struct view_reader *reader)
{
	return &reader_of(reader)->port;
}

void
view_sqlite_reader_end(struct view_reader *reader)
{
	struct sqlite_reader *made = reader_of(reader);
	if (made->begun)
		run(&made->connection, "ROLLBACK", NULL);
	made->begun = false;
}
