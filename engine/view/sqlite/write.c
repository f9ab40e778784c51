/* SPDX-License-Identifier: MIT */
/*
 * The row port of a batch: what projections do to their tables.
 *
 * Held back until the batch ends (or somebody looks with a filter): changes of columns that no unique index has, to
 * rows that exist. They cannot be refused any more, having passed the checks of view/rows.h. Inserts, deletes and
 * changes of unique columns go straight to SQLite, so that a duplicate is the fault of the entry that made it.
 *
 * Fails: INPUT leaves the batch as it was before the call. Any other failure may have undone part of the batch, so
 * the first one is remembered and the commit refuses with it, even if a handler swallowed it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "view/sqlite/inside.h"

#define CACHE_BYTES_MAX (8U * 1024 * 1024)

static const struct table *
table_of(const struct view_sqlite_writer *writer, uint16_t number)
{
	must(number < writer->connection.table_count);
	return &writer->connection.tables[number];
}

/* Remembers what must not be followed by a commit. Gives `result`. */
static int
watch(struct view_sqlite_writer *writer, int result, const struct fault *fault)
{
	if (result != 0 && fault->class != FAULT_INPUT && writer->broken.class == FAULT_NONE)
		writer->broken = *fault;
	return result;
}

/* "UNIQUE constraint failed: T.A, T.B": which of the table's sets is meant? */
static const struct column_set *
violated(const struct table *table, const char *message)
{
	const char *list = strstr(message, ": ");
	for (uint16_t i = 0; list != NULL && i < table->index_count; i++) {
		const struct column_set *set = &table->indexes[i];
		char text[1000] = "";
		size_t used = 0;
		for (uint16_t c = 0; c < set->count && used < sizeof(text); c++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s.%.*s", c != 0 ? ", " : "",
						 SLICE_ARG(table->name),
						 SLICE_ARG(table->columns[set->columns[c]].name));
		if (set->unique && strcmp(list + 2, text) == 0)
			return set;
	}
	return &table->key;
}

static int
write_fault(struct view_sqlite_writer *writer, const struct table *table, int code, struct fault *fault)
{
	if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID)
		return rows_duplicate(table, violated(table, sqlite3_errmsg(writer->connection.db)), fault);
	return view_sqlite_fault(&writer->connection, code, fault);
}

static void
add_key(struct buf *sql, const struct table *table)
{
	buf_text(sql, " WHERE ");
	for (uint16_t i = 0; i < table->key.count; i++) {
		buf_text(sql, i != 0 ? " AND " : "");
		view_sqlite_quote(sql, table->columns[table->key.columns[i]].name);
		buf_text(sql, " = ?");
	}
}

static bool
is_written(const struct table *table, uint16_t column, uint64_t mask)
{
	return (mask & view_sqlite_bit(column)) != 0 && !rows_in_set(&table->key, column);
}

static sqlite3_stmt *
statement_to_update(struct view_sqlite_writer *writer, uint16_t number, uint64_t mask, struct fault *fault)
{
	const struct table *table = table_of(writer, number);
	char name[3 + sizeof(mask)] = { 'u', (char)(number >> 8), (char)(number & 0xff) };
	memcpy(name + 3, &mask, sizeof(mask));
	struct slice key = slice_from(name, sizeof(name));
	sqlite3_stmt *statement = view_sqlite_find_statement(&writer->connection, key);
	if (statement != NULL)
		return statement;
	struct buf *sql = &writer->connection.sql;
	const char *between = " SET ";
	buf_clear(sql);
	buf_text(sql, "UPDATE ");
	view_sqlite_quote(sql, table->name);
	for (uint16_t i = 0; i < table->column_count; i++) {
		if (!is_written(table, i, mask))
			continue;
		buf_text(sql, between);
		view_sqlite_quote(sql, table->columns[i].name);
		buf_text(sql, " = ?");
		between = ", ";
	}
	add_key(sql, table);
	return view_sqlite_add_statement(&writer->connection, key, fault);
}

/* Writes the columns of `mask` of the row with these cells. */
static int
write_columns(struct view_sqlite_writer *writer, uint16_t number, const struct cell *cells, uint64_t mask,
	      struct fault *fault)
{
	const struct table *table = table_of(writer, number);
	int parameter = 1;
	sqlite3_stmt *statement = statement_to_update(writer, number, mask, fault);
	if (statement == NULL)
		return -1;
	for (uint16_t i = 0; i < table->column_count; i++)
		if (is_written(table, i, mask))
			view_sqlite_bind(statement, parameter++, &table->columns[i], &cells[i]);
	for (uint16_t i = 0; i < table->key.count; i++)
		view_sqlite_bind(statement, parameter++, NULL, &cells[table->key.columns[i]]);
	int code = view_sqlite_run(statement);
	return code == SQLITE_OK ? 0 : write_fault(writer, table, code, fault);
}

static int
compare_queued(const void *a, const void *b, void *self)
{
	const struct view_sqlite_row *left = *(struct view_sqlite_row *const *)a;
	const struct view_sqlite_row *right = *(struct view_sqlite_row *const *)b;
	const struct table *tables = self;
	if (left->table != right->table)
		return left->table < right->table ? -1 : 1;
	return rows_compare_by(&tables[left->table].key, left->cells, right->cells);
}

/* In key order: neighbours in the tree are written one after the other. */
static int
flush(struct view_sqlite_writer *writer, struct fault *fault)
{
	struct view_sqlite_cache *cache = &writer->cache;
	if (cache->queue_count > 1)
		qsort_r(cache->queue, cache->queue_count, sizeof(struct view_sqlite_row *), compare_queued,
			(void *)writer->connection.tables);
	for (size_t i = 0; i < cache->queue_count; i++) {
		struct view_sqlite_row *row = cache->queue[i];
		if (row->changed != 0 && write_columns(writer, row->table, row->cells, row->changed, fault) != 0)
			return -1;
		row->changed = 0;
	}
	for (size_t i = 0; i < cache->queue_count; i++)
		cache->queue[i]->queued = false;
	cache->queue_count = 0;
	if (cache->bytes > CACHE_BYTES_MAX)
		view_sqlite_cache_clear(cache);
	return 0;
}

int
view_sqlite_flush(struct view_sqlite_writer *writer, struct fault *fault)
{
	return watch(writer, flush(writer, fault), fault);
}

/* The row of this key from cache or table; NULL when there is none. */
static int
load(struct view_sqlite_writer *writer, uint16_t number, const struct cell *key, struct view_sqlite_row **row,
     struct fault *fault)
{
	const struct table *table = table_of(writer, number);
	sqlite3_stmt *statement;
	bool found;
	if (rows_check_key(table, key, fault) != 0)
		return -1;
	*row = view_sqlite_cache_find(&writer->cache, table, number, key);
	if (*row != NULL)
		return 0;
	if (writer->cache.bytes > CACHE_BYTES_MAX && flush(writer, fault) != 0)
		return -1;
	if (view_sqlite_read(&writer->connection, number, key, writer->scratch, &statement, &found, fault) != 0)
		return -1;
	if (!found)
		return 0;
	*row = view_sqlite_cache_add(&writer->cache, table, number, writer->scratch);
	sqlite3_reset(statement);
	return *row != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory for a row");
}

static bool
is_unique_column(const struct table *table, uint16_t column)
{
	for (uint16_t i = 0; i < table->index_count; i++)
		if (table->indexes[i].unique && rows_in_set(&table->indexes[i], column))
			return true;
	return false;
}

/* Makes the row's cells those of `cells`: now when a unique index could refuse them, else later. */
static int
change(struct view_sqlite_writer *writer, struct view_sqlite_row *row, const struct cell *cells, struct fault *fault)
{
	const struct table *table = table_of(writer, row->table);
	uint64_t mask = 0;
	bool now = false;
	for (uint16_t i = 0; i < table->column_count; i++) {
		if (rows_compare(&cells[i], &row->cells[i]) == 0)
			continue;
		mask |= view_sqlite_bit(i);
		now = now || is_unique_column(table, i);
	}
	if (mask == 0)
		return 0;
	if (now && write_columns(writer, row->table, cells, mask, fault) != 0)
		return -1;
	return view_sqlite_cache_change(&writer->cache, table, row, cells, now ? 0 : mask, fault);
}

static int
insert(struct view_sqlite_writer *writer, uint16_t number, const struct cell *cells, struct fault *fault)
{
	const struct table *table = table_of(writer, number);
	char name[] = { 'i', (char)(number >> 8), (char)(number & 0xff) };
	struct slice key = slice_from(name, sizeof(name));
	sqlite3_stmt *statement = view_sqlite_find_statement(&writer->connection, key);
	if (statement == NULL) {
		struct buf *sql = &writer->connection.sql;
		buf_clear(sql);
		buf_text(sql, "INSERT INTO ");
		view_sqlite_quote(sql, table->name);
		for (uint16_t i = 0; i < table->column_count; i++) {
			buf_text(sql, i == 0 ? " (" : ", ");
			view_sqlite_quote(sql, table->columns[i].name);
		}
		buf_text(sql, ") VALUES (?");
		for (uint16_t i = 1; i < table->column_count; i++)
			buf_text(sql, ", ?");
		buf_byte(sql, ')');
		statement = view_sqlite_add_statement(&writer->connection, key, fault);
		if (statement == NULL)
			return -1;
	}
	for (uint16_t i = 0; i < table->column_count; i++)
		view_sqlite_bind(statement, i + 1, &table->columns[i], &cells[i]);
	int code = view_sqlite_run(statement);
	return code == SQLITE_OK ? 0 : write_fault(writer, table, code, fault);
}

static int
port_get(void *self, uint16_t number, const struct cell *key, struct arena *arena, struct row *row, bool *found,
	 struct fault *fault)
{
	struct view_sqlite_writer *writer = self;
	struct view_sqlite_row *known = NULL;
	if (load(writer, number, key, &known, fault) != 0)
		return watch(writer, -1, fault);
	*found = known != NULL;
	if (known == NULL)
		return 0;
	return view_sqlite_give(known->cells, table_of(writer, number)->column_count, arena, row, fault);
}

static int
port_insert(void *self, uint16_t number, const struct row *row, struct fault *fault)
{
	struct view_sqlite_writer *writer = self;
	if (rows_check_row(table_of(writer, number), row, fault) != 0)
		return -1;
	return watch(writer, insert(writer, number, row->cells, fault), fault);
}

static int
put(struct view_sqlite_writer *writer, uint16_t number, const struct row *row, struct fault *fault)
{
	const struct table *table = table_of(writer, number);
	struct view_sqlite_row *known = NULL;
	if (rows_check_row(table, row, fault) != 0)
		return -1;
	struct cell *key = malloc(table->key.count * sizeof(*key));
	if (key == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a key");
	rows_key_of(table, row->cells, key);
	int result = load(writer, number, key, &known, fault);
	free(key);
	if (result != 0)
		return -1;
	if (known == NULL)
		return insert(writer, number, row->cells, fault);
	for (uint16_t i = 0; i < table->column_count; i++)
		writer->scratch[i] = rows_stored(&table->columns[i], &row->cells[i]);
	return change(writer, known, writer->scratch, fault);
}

static int
port_put(void *self, uint16_t number, const struct row *row, struct fault *fault)
{
	struct view_sqlite_writer *writer = self;
	return watch(writer, put(writer, number, row, fault), fault);
}

static int
port_update(void *self, uint16_t number, const struct cell *key, const struct row *changes, bool *found,
	    struct fault *fault)
{
	struct view_sqlite_writer *writer = self;
	const struct table *table = table_of(writer, number);
	struct view_sqlite_row *known = NULL;
	if (load(writer, number, key, &known, fault) != 0)
		return watch(writer, -1, fault);
	if (rows_check_changes(table, key, changes, fault) != 0)
		return -1;
	*found = known != NULL;
	if (known == NULL)
		return 0;
	for (uint16_t i = 0; i < table->column_count; i++)
		writer->scratch[i] = changes->cells[i].kind == CELL_UNSET
					     ? known->cells[i]
					     : rows_stored(&table->columns[i], &changes->cells[i]);
	return watch(writer, change(writer, known, writer->scratch, fault), fault);
}

static int
port_add(void *self, uint16_t number, const struct cell *key, const struct row *amounts, struct fault *fault)
{
	struct view_sqlite_writer *writer = self;
	const struct table *table = table_of(writer, number);
	struct view_sqlite_row *known = NULL;
	if (load(writer, number, key, &known, fault) != 0)
		return watch(writer, -1, fault);
	if (rows_check_amounts(table, amounts, fault) != 0 ||
	    rows_sum(table, key, known != NULL ? known->cells : NULL, amounts, writer->scratch, fault) != 0)
		return -1;
	int result = known != NULL ? change(writer, known, writer->scratch, fault)
				   : insert(writer, number, writer->scratch, fault);
	return watch(writer, result, fault);
}

static int
remove_row(struct view_sqlite_writer *writer, uint16_t number, const struct cell *key, bool *found, struct fault *fault)
{
	const struct table *table = table_of(writer, number);
	char name[] = { 'd', (char)(number >> 8), (char)(number & 0xff) };
	struct slice title = slice_from(name, sizeof(name));
	if (rows_check_key(table, key, fault) != 0)
		return -1;
	struct view_sqlite_row *known = view_sqlite_cache_find(&writer->cache, table, number, key);
	if (known != NULL)
		view_sqlite_cache_forget(&writer->cache, known);
	sqlite3_stmt *statement = view_sqlite_find_statement(&writer->connection, title);
	if (statement == NULL) {
		buf_clear(&writer->connection.sql);
		buf_text(&writer->connection.sql, "DELETE FROM ");
		view_sqlite_quote(&writer->connection.sql, table->name);
		add_key(&writer->connection.sql, table);
		statement = view_sqlite_add_statement(&writer->connection, title, fault);
		if (statement == NULL)
			return -1;
	}
	for (uint16_t i = 0; i < table->key.count; i++)
		view_sqlite_bind(statement, i + 1, &table->columns[table->key.columns[i]], &key[i]);
	int code = view_sqlite_run(statement);
	if (code != SQLITE_OK)
		return write_fault(writer, table, code, fault);
	*found = sqlite3_changes64(writer->connection.db) != 0;
	return 0;
}

static int
port_remove(void *self, uint16_t number, const struct cell *key, bool *found, struct fault *fault)
{
	struct view_sqlite_writer *writer = self;
	return watch(writer, remove_row(writer, number, key, found, fault), fault);
}

static int
port_remove_where(void *self, uint16_t number, const struct filter *filters, size_t count, uint64_t *removed,
		  struct fault *fault)
{
	struct view_sqlite_writer *writer = self;
	int result = flush(writer, fault);
	if (result == 0)
		result = view_sqlite_remove_where(&writer->connection, number, filters, count, removed, fault);
	if (result == 0 && *removed != 0)
		view_sqlite_cache_forget_table(&writer->cache, number);
	return watch(writer, result, fault);
}

static int
port_find(void *self, const struct row_query *query, struct arena *arena, struct row **rows, size_t *count,
	  struct fault *fault)
{
	struct view_sqlite_writer *writer = self;
	int result = flush(writer, fault);
	if (result == 0)
		result = view_sqlite_find(&writer->connection, query, arena, rows, count, fault);
	return watch(writer, result, fault);
}

static int
port_count(void *self, const struct row_query *query, uint64_t *count, struct fault *fault)
{
	struct view_sqlite_writer *writer = self;
	int result = flush(writer, fault);
	if (result == 0)
		result = view_sqlite_count(&writer->connection, query, count, fault);
	return watch(writer, result, fault);
}

int
view_sqlite_writer_init(struct view_sqlite_writer *writer, struct fault *fault)
{
	size_t widest = 1;
	for (size_t i = 0; i < writer->connection.table_count; i++)
		if (writer->connection.tables[i].column_count > widest)
			widest = writer->connection.tables[i].column_count;
	writer->scratch = calloc(widest, sizeof(*writer->scratch));
	if (writer->scratch == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the read model");
	writer->port = (struct row_port){
		.tables = writer->connection.tables,
		.table_count = (uint16_t)writer->connection.table_count,
		.writable = true,
		.self = writer,
		.get = port_get,
		.put = port_put,
		.insert = port_insert,
		.update = port_update,
		.add = port_add,
		.remove = port_remove,
		.remove_where = port_remove_where,
		.find = port_find,
		.count = port_count,
	};
	return 0;
}

void
view_sqlite_writer_fini(struct view_sqlite_writer *writer)
{
	view_sqlite_cache_fini(&writer->cache);
	free(writer->scratch);
	writer->scratch = NULL;
}
