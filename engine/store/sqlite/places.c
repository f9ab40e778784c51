/* SPDX-License-Identifier: MIT */
/*
 * An eponymous virtual table with one column and one argument, a pointer that only places_bind can have bound: SQL that
 * was not written here cannot make one.
 */
#include "store/sqlite/places.h"

#define POINTER "moonlog places"

enum { COLUMN_POSITION, COLUMN_LIST };

struct places_cursor {
	sqlite3_vtab_cursor base; /* first: SQLite's view of it */
	const struct positions *list;
	size_t at;
};

static struct places_cursor *
cursor_of(sqlite3_vtab_cursor *base)
{
	return container_of(base, struct places_cursor, base);
}

static int
connect(sqlite3 *db, void *self, int count, const char *const *words, sqlite3_vtab **table, char **text)
{
	int code = sqlite3_declare_vtab(db, "CREATE TABLE places(position INTEGER, list HIDDEN)");

	(void)self;
	(void)count;
	(void)words;
	(void)text;
	if (code != SQLITE_OK)
		return code;
	*table = sqlite3_malloc(sizeof(**table));
	if (*table == NULL)
		return SQLITE_NOMEM;
	**table = (sqlite3_vtab){ 0 };
	return SQLITE_OK;
}

static int
disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

static int
best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void)table;
	for (int i = 0; i < info->nConstraint; i++) {
		if (info->aConstraint[i].iColumn != COLUMN_LIST || !info->aConstraint[i].usable ||
		    info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		info->aConstraintUsage[i].argvIndex = 1;
		info->aConstraintUsage[i].omit = 1;
		info->estimatedCost = 1;
		info->estimatedRows = 100;
		return SQLITE_OK;
	}
	return SQLITE_CONSTRAINT;
}

static int
open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
	struct places_cursor *made = sqlite3_malloc(sizeof(*made));

	(void)table;
	if (made == NULL)
		return SQLITE_NOMEM;
	*made = (struct places_cursor){ 0 };
	*cursor = &made->base;
	return SQLITE_OK;
}

static int
close_cursor(sqlite3_vtab_cursor *cursor)
{
	sqlite3_free(cursor_of(cursor));
	return SQLITE_OK;
}

static int
filter(sqlite3_vtab_cursor *base, int number, const char *text, int count, sqlite3_value **values)
{
	struct places_cursor *cursor = cursor_of(base);

	(void)number;
	(void)text;
	cursor->list = count == 1 ? sqlite3_value_pointer(values[0], POINTER) : NULL;
	cursor->at = 0;
	return SQLITE_OK;
}

static int
next(sqlite3_vtab_cursor *cursor)
{
	cursor_of(cursor)->at++;
	return SQLITE_OK;
}

static int
is_at_end(sqlite3_vtab_cursor *base)
{
	const struct places_cursor *cursor = cursor_of(base);

	return cursor->list == NULL || cursor->at >= cursor->list->count;
}

static int
column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number)
{
	const struct places_cursor *cursor = cursor_of(base);

	if (number == COLUMN_POSITION)
		sqlite3_result_int64(context, (sqlite3_int64)cursor->list->items[cursor->at]);
	return SQLITE_OK;
}

static int
row_number(sqlite3_vtab_cursor *cursor, sqlite3_int64 *number)
{
	*number = (sqlite3_int64)cursor_of(cursor)->at;
	return SQLITE_OK;
}

int
places_open(struct link *link, struct fault *fault)
{
	static const sqlite3_module module = {
		.xConnect = connect,
		.xDisconnect = disconnect,
		.xBestIndex = best_index,
		.xOpen = open_cursor,
		.xClose = close_cursor,
		.xFilter = filter,
		.xNext = next,
		.xEof = is_at_end,
		.xColumn = column,
		.xRowid = row_number,
	};

	return sqlite3_create_module(link->db, "places", &module, NULL) == SQLITE_OK
		       ? 0
		       : link_fault(link, "places", fault);
}

void
places_bind(sqlite3_stmt *statement, int index, struct positions *positions)
{
	sqlite3_bind_pointer(statement, index, positions, POINTER, NULL);
}
