/* SPDX-License-Identifier: MIT */
/*
 * Reading rows: one row by its key, many by filters and order.
 *
 * A query becomes SQL text with every value as a parameter; the text is also the name under which its statement stays
 * prepared. The key's columns end every order, so that pages are stable. Text compares bytewise (SQLite's BINARY).
 *
 * Works on any connection of the room: the writer's inside a batch, a reader's inside its snapshot.
 * Fails: INPUT as view/rows.h says, and what view_sqlite_fault makes of SQLite's codes.
 */
#include <stdlib.h>

#include "view/sqlite/inside.h"

static void
add_columns(struct buf *sql, const struct table *table)
{
	for (uint16_t i = 0; i < table->column_count; i++) {
		if (i != 0)
			buf_text(sql, ", ");
		view_sqlite_quote(sql, table->columns[i].name);
	}
}

static sqlite3_stmt *
statement_to_read(struct view_sqlite_connection *connection, uint16_t number, struct fault *fault)
{
	const struct table *table = &connection->tables[number];
	char name[] = { 'g', (char)(number >> 8), (char)(number & 0xff) };
	struct slice key = slice_from(name, sizeof(name));
	sqlite3_stmt *statement = view_sqlite_find_statement(connection, key);
	if (statement != NULL)
		return statement;
	struct buf *sql = &connection->sql;
	buf_clear(sql);
	buf_text(sql, "SELECT ");
	add_columns(sql, table);
	buf_text(sql, " FROM ");
	view_sqlite_quote(sql, table->name);
	buf_text(sql, " WHERE ");
	for (uint16_t i = 0; i < table->key.count; i++) {
		buf_text(sql, i != 0 ? " AND " : "");
		view_sqlite_quote(sql, table->columns[table->key.columns[i]].name);
		buf_text(sql, " = ?");
	}
	return view_sqlite_add_statement(connection, key, fault);
}

int
view_sqlite_read(struct view_sqlite_connection *connection, uint16_t number, const struct cell *key, struct cell *cells,
		 sqlite3_stmt **statement, bool *found, struct fault *fault)
{
	const struct table *table = &connection->tables[number];
	*statement = statement_to_read(connection, number, fault);
	if (*statement == NULL)
		return -1;
	for (uint16_t i = 0; i < table->key.count; i++)
		view_sqlite_bind(*statement, i + 1, &table->columns[table->key.columns[i]], &key[i]);
	int code = sqlite3_step(*statement);
	*found = code == SQLITE_ROW;
	if (code == SQLITE_ROW) {
		view_sqlite_columns(*statement, table->column_count, cells);
		return 0;
	}
	sqlite3_reset(*statement);
	return code == SQLITE_DONE ? 0 : view_sqlite_fault(connection, code, fault);
}

/* The least text that is greater than all that start with `prefix`; false when there is none. */
static bool
after_prefix(struct buf *prefix)
{
	while (prefix->size != 0 && (unsigned char)prefix->data[prefix->size - 1] == 0xff)
		prefix->size--;
	if (prefix->size == 0)
		return false;
	prefix->data[prefix->size - 1]++;
	return true;
}

static void
add_filter(struct buf *sql, const struct table *table, const struct filter *filter)
{
	static const char *const operators[] = {
		[FILTER_EQ] = " = ?",      [FILTER_NE] = " IS NOT ?",     [FILTER_LT] = " < ?",
		[FILTER_LE] = " <= ?",     [FILTER_GT] = " > ?",          [FILTER_GE] = " >= ?",
		[FILTER_PREFIX] = " >= ?", [FILTER_IS_NULL] = " IS NULL", [FILTER_NOT_NULL] = " IS NOT NULL",
	};
	view_sqlite_quote(sql, table->columns[filter->column].name);
	buf_text(sql, operators[filter->op]);
	if (filter->op != FILTER_PREFIX)
		return;
	buf_text(sql, " AND ");
	view_sqlite_quote(sql, table->columns[filter->column].name);
	buf_text(sql, " < ?");
}

static void
add_where(struct buf *sql, const struct table *table, const struct filter *filters, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct filter plain = rows_plain(&filters[i]);
		buf_text(sql, i == 0 ? " WHERE " : " AND ");
		add_filter(sql, table, &plain);
	}
}

/* Binds the filters' values from parameter 1 on and gives the next number. Ends of prefixes live in `ends`. */
static int
bind_filters(sqlite3_stmt *statement, const struct filter *filters, size_t count, struct arena *ends)
{
	int number = 1;
	for (size_t i = 0; i < count; i++) {
		struct filter plain = rows_plain(&filters[i]);
		if (plain.op == FILTER_IS_NULL || plain.op == FILTER_NOT_NULL)
			continue;
		view_sqlite_bind(statement, number++, NULL, &plain.value);
		if (plain.op != FILTER_PREFIX)
			continue;
		struct slice copy = arena_copy(ends, plain.value.text);
		struct buf end = { .data = (char *)copy.data, .size = copy.size };
		if (copy.data == NULL)
			return -1;
		if (after_prefix(&end)) {
			struct cell cell = { .kind = CELL_TEXT, .text = buf_slice(&end) };
			view_sqlite_bind(statement, number, NULL, &cell);
		} else {
			/* Every text is below the empty blob in SQLite's order. */
			sqlite3_bind_zeroblob(statement, number, 0);
		}
		number++;
	}
	return number;
}

static void
add_key_names(struct buf *sql, const struct table *table)
{
	for (uint16_t i = 0; i < table->key.count; i++) {
		buf_text(sql, i != 0 ? ", " : "");
		view_sqlite_quote(sql, table->columns[table->key.columns[i]].name);
	}
}

static void
add_order(struct buf *sql, const struct table *table, const struct row_query *query)
{
	buf_text(sql, " ORDER BY ");
	for (size_t i = 0; i < query->order_count; i++) {
		view_sqlite_quote(sql, table->columns[query->orders[i].column].name);
		buf_text(sql, query->orders[i].descending ? " DESC, " : ", ");
	}
	add_key_names(sql, table);
	buf_text(sql, " LIMIT ? OFFSET ?");
}

static int
take_rows(struct view_sqlite_connection *connection, sqlite3_stmt *statement, uint16_t columns, struct arena *arena,
	  struct row *rows, size_t *count, struct fault *fault)
{
	struct cell *cells = malloc(columns * sizeof(*cells));
	int code = SQLITE_DONE, result = 0;
	if (cells == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a row");
	while (result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		view_sqlite_columns(statement, columns, cells);
		result = view_sqlite_give(cells, columns, arena, &rows[*count], fault);
		++*count;
	}
	free(cells);
	if (result == 0 && code != SQLITE_DONE)
		result = view_sqlite_fault(connection, code, fault);
	return result;
}

int
view_sqlite_find(struct view_sqlite_connection *connection, const struct row_query *query, struct arena *arena,
		 struct row **rows, size_t *count, struct fault *fault)
{
	const struct table *table = &connection->tables[query->table];
	struct buf *sql = &connection->sql;
	*count = 0;
	if (rows_check_query(table, query, true, fault) != 0)
		return -1;
	buf_clear(sql);
	buf_text(sql, "SELECT ");
	add_columns(sql, table);
	buf_text(sql, " FROM ");
	view_sqlite_quote(sql, table->name);
	add_where(sql, table, query->filters, query->filter_count);
	add_order(sql, table, query);
	sqlite3_stmt *statement = view_sqlite_by_text(connection, fault);
	if (statement == NULL)
		return -1;
	int next = bind_filters(statement, query->filters, query->filter_count, arena);
	*rows = arena_alloc(arena, (query->limit + 1) * sizeof(struct row));
	int result = -1;
	if (next < 0 || *rows == NULL) {
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for the rows of a query");
		goto out;
	}
	sqlite3_bind_int64(statement, next, query->limit);
	sqlite3_bind_int64(statement, next + 1, query->offset);
	result = take_rows(connection, statement, table->column_count, arena, *rows, count, fault);
out:
	sqlite3_reset(statement);
	return result;
}

int
view_sqlite_scan(struct view_sqlite_connection *connection, uint16_t number, const struct cell *after, uint32_t limit,
		 struct arena *arena, struct row **rows, size_t *count, struct fault *fault)
{
	const struct table *table = &connection->tables[number];
	struct buf *sql = &connection->sql;
	*count = 0;
	buf_clear(sql);
	buf_text(sql, "SELECT ");
	add_columns(sql, table);
	buf_text(sql, " FROM ");
	view_sqlite_quote(sql, table->name);
	if (after != NULL) {
		buf_text(sql, " WHERE (");
		add_key_names(sql, table);
		buf_text(sql, ") > (?");
		for (uint16_t i = 1; i < table->key.count; i++)
			buf_text(sql, ", ?");
		buf_byte(sql, ')');
	}
	buf_text(sql, " ORDER BY ");
	add_key_names(sql, table);
	buf_text(sql, " LIMIT ?");
	sqlite3_stmt *statement = view_sqlite_by_text(connection, fault);
	if (statement == NULL)
		return -1;
	int next = 1;
	for (uint16_t i = 0; after != NULL && i < table->key.count; i++)
		view_sqlite_bind(statement, next++, &table->columns[table->key.columns[i]], &after[i]);
	sqlite3_bind_int64(statement, next, limit);
	*rows = arena_alloc(arena, (limit + 1) * sizeof(struct row));
	int result = *rows != NULL ? take_rows(connection, statement, table->column_count, arena, *rows, count, fault)
				   : fault_set(fault, FAULT_MEMORY, "memory", "no memory for a page of rows");
	sqlite3_reset(statement);
	return result;
}

/* `verb` and the filters as one statement, bound. The ends of prefixes live in `ends`. */
static sqlite3_stmt *
filtered(struct view_sqlite_connection *connection, const char *verb, uint16_t number, const struct filter *filters,
	 size_t count, struct arena *ends, struct fault *fault)
{
	const struct table *table = &connection->tables[number];
	buf_clear(&connection->sql);
	buf_text(&connection->sql, verb);
	view_sqlite_quote(&connection->sql, table->name);
	add_where(&connection->sql, table, filters, count);
	sqlite3_stmt *statement = view_sqlite_by_text(connection, fault);
	if (statement != NULL && bind_filters(statement, filters, count, ends) < 0) {
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for a filter");
		return NULL;
	}
	return statement;
}

int
view_sqlite_count(struct view_sqlite_connection *connection, const struct row_query *query, uint64_t *count,
		  struct fault *fault)
{
	struct arena ends;
	int result = -1;
	if (rows_check_query(&connection->tables[query->table], query, false, fault) != 0)
		return -1;
	arena_init(&ends, SIZE_MAX);
	sqlite3_stmt *statement = filtered(connection, "SELECT count(*) FROM ", query->table, query->filters,
					   query->filter_count, &ends, fault);
	if (statement == NULL)
		goto out;
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		*count = (uint64_t)sqlite3_column_int64(statement, 0);
		result = 0;
	} else {
		view_sqlite_fault(connection, code, fault);
	}
	sqlite3_reset(statement);
out:
	arena_fini(&ends);
	return result;
}

int
view_sqlite_remove_where(struct view_sqlite_connection *connection, uint16_t number, const struct filter *filters,
			 size_t count, uint64_t *removed, struct fault *fault)
{
	struct arena ends;
	int result = -1;
	*removed = 0;
	if (rows_check_filters(&connection->tables[number], filters, count, fault) != 0)
		return -1;
	arena_init(&ends, SIZE_MAX);
	sqlite3_stmt *statement = filtered(connection, "DELETE FROM ", number, filters, count, &ends, fault);
	if (statement == NULL)
		goto out;
	int code = view_sqlite_run(statement);
	if (code == SQLITE_OK) {
		*removed = (uint64_t)sqlite3_changes64(connection->db);
		result = 0;
	} else {
		view_sqlite_fault(connection, code, fault);
	}
out:
	arena_fini(&ends);
	return result;
}
