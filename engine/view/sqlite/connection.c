/* SPDX-License-Identifier: MIT */
/*
 * One SQLite connection and the statements prepared on it.
 *
 * Statements are found by a key: a few bytes for the writes of a table, their own text for queries. They stay
 * prepared; of more than VIEW_SQLITE_STATEMENTS shapes the one used longest ago makes room. Every text is bound
 * without copying, so a statement is reset before its caller's memory goes.
 *
 * Fails: each result code becomes one class of fault (view_sqlite_fault). A file that cannot be read names the way
 * out: delete it, the read model is rebuilt from the log.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "view/sqlite/inside.h"

static void
corrupt(const char *path, const char *reason, struct fault *fault)
{
	fault_set(fault, FAULT_CORRUPT, "view_corrupt", "%s: %s; delete this file, it is rebuilt from the log", path,
		  reason);
}

int
view_sqlite_fault(struct view_sqlite_connection *connection, int code, struct fault *fault)
{
	sqlite3 *db = connection->db;
	const char *path = db != NULL ? sqlite3_db_filename(db, "main") : NULL;
	const char *reason = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code);
	int system = db != NULL ? sqlite3_system_errno(db) : 0;
	if (path == NULL || path[0] == '\0')
		path = "read model";
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		fault_set(fault, FAULT_BUSY, "view_busy", "%s: %s", path, reason);
		break;
	case SQLITE_FULL:
		fault_set(fault, FAULT_FULL, "disk_full", "%s: %s", path, reason);
		break;
	case SQLITE_NOMEM:
		fault_set(fault, FAULT_MEMORY, "memory", "%s: %s", path, reason);
		break;
	case SQLITE_IOERR:
		if (code == SQLITE_IOERR_SHORT_READ || code == SQLITE_IOERR_CORRUPTFS || code == SQLITE_IOERR_DATA)
			corrupt(path, reason, fault);
		else if (system == ENOSPC || system == EDQUOT)
			fault_set(fault, FAULT_FULL, "disk_full", "%s: %s", path, reason);
		else
			fault_set(fault, FAULT_AWAY, "view_io", "%s: %s (%s)", path, reason, strerror(system));
		break;
	case SQLITE_CORRUPT:
		corrupt(path, reason, fault);
		break;
	case SQLITE_NOTADB:
		/* What was a read model when it was opened has lost its head since. */
		if (connection->known)
			corrupt(path, reason, fault);
		else
			fault_set(fault, FAULT_CONFIG, "not_a_view", "%s: not a read model of moonlog (%s)", path,
				  reason);
		break;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		fault_set(fault, FAULT_CONFIG, "view_cannot_open", "%s: %s", path, reason);
		break;
	case SQLITE_INTERRUPT:
		fault_set(fault, FAULT_TIMEOUT, "timeout", "%s: %s", path, reason);
		break;
	default:
		fault_set(fault, FAULT_BUG, "view_sql", "%s: %s", path, reason);
	}
	if (fault != NULL)
		fault->native = code;
	return -1;
}

int
view_sqlite_execute(struct view_sqlite_connection *connection, const char *sql, struct fault *fault)
{
	int code = sqlite3_exec(connection->db, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? 0 : view_sqlite_fault(connection, code, fault);
}

int
view_sqlite_connect(struct view_sqlite_connection *connection, const char *path, int flags, struct fault *fault)
{
	/* A relative "file:x" would be an URI to SQLite. */
	char plain[4200];
	bool like_uri = strncmp(path, "file:", 5) == 0;

	snprintf(plain, sizeof(plain), "./%s", like_uri ? path : "");
	int code = sqlite3_open_v2(like_uri ? plain : path, &connection->db,
				   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	buf_init(&connection->sql, 1024 * 1024);
	if (code != SQLITE_OK) {
		bool absent = (code & 0xff) == SQLITE_CANTOPEN && (flags & SQLITE_OPEN_CREATE) == 0;
		if (absent)
			fault_set(fault, FAULT_CONFIG, "view_missing", "%s: there is no read model", path);
		else
			view_sqlite_fault(connection, code, fault);
		view_sqlite_disconnect(connection);
		return -1;
	}
	sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_busy_timeout(connection->db, 200);
	return 0;
}

void
view_sqlite_forget_statements(struct view_sqlite_connection *connection)
{
	for (size_t i = 0; i < connection->statement_count; i++) {
		sqlite3_finalize(connection->statements[i].statement);
		free((char *)connection->statements[i].key.data);
	}
	connection->statement_count = 0;
}

void
view_sqlite_disconnect(struct view_sqlite_connection *connection)
{
	view_sqlite_forget_statements(connection);
	sqlite3_close(connection->db);
	connection->db = NULL;
	buf_fini(&connection->sql);
}

sqlite3_stmt *
view_sqlite_find_statement(struct view_sqlite_connection *connection, struct slice key)
{
	uint64_t hash = slice_hash(key, 0);
	for (size_t i = 0; i < connection->statement_count; i++) {
		struct view_sqlite_statement *known = &connection->statements[i];
		if (known->hash != hash || !slice_equal(known->key, key))
			continue;
		known->used = ++connection->turn;
		return known->statement;
	}
	return NULL;
}

/* A free place, made free when there is none. */
static struct view_sqlite_statement *
place_for_statement(struct view_sqlite_connection *connection)
{
	if (connection->statement_count < VIEW_SQLITE_STATEMENTS)
		return &connection->statements[connection->statement_count++];
	struct view_sqlite_statement *oldest = &connection->statements[0];
	for (size_t i = 1; i < connection->statement_count; i++)
		if (connection->statements[i].used < oldest->used)
			oldest = &connection->statements[i];
	sqlite3_finalize(oldest->statement);
	free((char *)oldest->key.data);
	return oldest;
}

sqlite3_stmt *
view_sqlite_add_statement(struct view_sqlite_connection *connection, struct slice key, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	char *copy = malloc(key.size + 1);
	if (copy == NULL || connection->sql.failed) {
		free(copy);
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for a statement");
		return NULL;
	}
	int code = sqlite3_prepare_v3(connection->db, connection->sql.data, (int)connection->sql.size,
				      SQLITE_PREPARE_PERSISTENT, &statement, NULL);
	if (code != SQLITE_OK) {
		free(copy);
		view_sqlite_fault(connection, code, fault);
		return NULL;
	}
	memcpy(copy, key.data, key.size);
	key.data = copy;
	*place_for_statement(connection) = (struct view_sqlite_statement){
		.statement = statement, .key = key, .hash = slice_hash(key, 0), .used = ++connection->turn
	};
	return statement;
}

sqlite3_stmt *
view_sqlite_by_text(struct view_sqlite_connection *connection, struct fault *fault)
{
	struct slice text = buf_slice(&connection->sql);
	sqlite3_stmt *statement = connection->sql.failed ? NULL : view_sqlite_find_statement(connection, text);
	return statement != NULL ? statement : view_sqlite_add_statement(connection, text, fault);
}

void
view_sqlite_bind(sqlite3_stmt *statement, int number, const struct column *column, const struct cell *cell)
{
	struct cell stored = column != NULL ? rows_stored(column, cell) : *cell;
	/* Empty text needs an address: without one SQLite would store null. */
	const char *text = stored.text.data != NULL ? stored.text.data : "";
	switch (stored.kind) {
	case CELL_INTEGER:
		sqlite3_bind_int64(statement, number, stored.integer);
		break;
	case CELL_REAL:
		sqlite3_bind_double(statement, number, stored.real);
		break;
	case CELL_TEXT:
		sqlite3_bind_text64(statement, number, text, stored.text.size, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case CELL_NULL:
	case CELL_UNSET:
		sqlite3_bind_null(statement, number);
		break;
	}
}

void
view_sqlite_columns(sqlite3_stmt *statement, uint16_t count, struct cell *cells)
{
	for (int i = 0; i < count; i++) {
		cells[i] = (struct cell){ .kind = CELL_NULL };
		switch (sqlite3_column_type(statement, i)) {
		case SQLITE_INTEGER:
			cells[i].kind = CELL_INTEGER;
			cells[i].integer = sqlite3_column_int64(statement, i);
			break;
		case SQLITE_FLOAT:
			cells[i].kind = CELL_REAL;
			cells[i].real = sqlite3_column_double(statement, i);
			break;
		case SQLITE_TEXT:
		case SQLITE_BLOB:
			cells[i].kind = CELL_TEXT;
			cells[i].text.data = (const char *)sqlite3_column_blob(statement, i);
			cells[i].text.size = (size_t)sqlite3_column_bytes(statement, i);
			break;
		default:
			break;
		}
	}
}

int
view_sqlite_give(const struct cell *from, uint16_t count, struct arena *arena, struct row *row, struct fault *fault)
{
	row->cells = arena_alloc(arena, count * sizeof(struct cell));
	if (row->cells == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a row");
	for (uint16_t i = 0; i < count; i++) {
		row->cells[i] = from[i];
		if (from[i].kind != CELL_TEXT)
			continue;
		row->cells[i].text = arena_copy(arena, from[i].text);
		if (row->cells[i].text.data == NULL)
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a row");
	}
	return 0;
}

void
view_sqlite_quote(struct buf *sql, struct slice name)
{
	buf_byte(sql, '"');
	for (size_t i = 0; i < name.size; i++) {
		if (name.data[i] == '"')
			buf_byte(sql, '"');
		buf_byte(sql, name.data[i]);
	}
	buf_byte(sql, '"');
}

int
view_sqlite_run(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);
	int reset = sqlite3_reset(statement);
	return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : reset;
}
