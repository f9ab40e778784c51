/* SPDX-License-Identifier: MIT */
/*
 * Each call is judged by what it names: a whole row by its stream column, a key by that column when it is part of the
 * key and else by the row that has the key, conditions by an equality on the column. Tables without such a column pass.
 */
#include "script/lua/guard.h"

static const struct table *
table_of(const struct moon_guard *guard, uint16_t number)
{
	return &guard->behind->tables[number];
}

static bool
is_own(const struct moon_guard *guard, const struct cell *cell)
{
	return cell->kind == CELL_TEXT && slice_equal(cell->text, guard->id);
}

static int
foreign(const struct moon_guard *guard, const struct table *table, const char *what, struct fault *fault)
{
	struct slice column = table->columns[table->stream_column - 1].name;
	return fault_set(fault, FAULT_SCRIPT, "foreign_row",
			 "%.*s has stream_column = \"%.*s\", so an event of %.*s may only touch rows with %.*s = "
			 "\"%.*s\": %s",
			 SLICE_ARG(table->name), SLICE_ARG(column), SLICE_ARG(guard->stream), SLICE_ARG(column),
			 SLICE_ARG(guard->id), what);
}

/* Place of the stream's column among the key's; -1 when it is none of them. */
static int
place_in_key(const struct table *table)
{
	for (uint16_t i = 0; i < table->key.count; i++)
		if (table->key.columns[i] + 1 == table->stream_column)
			return i;
	return -1;
}

static bool
has_column(const struct column_set *set, uint16_t column)
{
	for (uint16_t i = 0; i < set->count; i++)
		if (set->columns[i] == column)
			return true;
	return false;
}

/* The row of this key, if there is one, must be the stream's. */
static int
check_key(struct moon_guard *guard, uint16_t number, const struct cell *key, struct fault *fault)
{
	const struct table *table = table_of(guard, number);
	if (table->stream_column == 0)
		return 0;
	int place = place_in_key(table);
	if (place >= 0)
		return is_own(guard, &key[place]) ? 0 : foreign(guard, table, "this key is of another stream", fault);
	struct row row;
	bool found = false;
	arena_clear(&guard->scratch);
	if (guard->behind->get(guard->behind->self, number, key, &guard->scratch, &row, &found, fault) != 0)
		return -1;
	if (!found || is_own(guard, &row.cells[table->stream_column - 1]))
		return 0;
	return foreign(guard, table, "the row of this key is of another stream", fault);
}

static int
check_row(const struct moon_guard *guard, uint16_t number, const struct cell *cells, struct fault *fault)
{
	const struct table *table = table_of(guard, number);
	if (table->stream_column == 0 || is_own(guard, &cells[table->stream_column - 1]))
		return 0;
	return foreign(guard, table, "this row is of another stream", fault);
}

static int
check_filters(const struct moon_guard *guard, uint16_t number, const struct filter *filters, size_t count,
	      struct fault *fault)
{
	const struct table *table = table_of(guard, number);
	if (table->stream_column == 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (filters[i].column + 1 == table->stream_column && filters[i].op == FILTER_EQ &&
		    is_own(guard, &filters[i].value))
			return 0;
	return foreign(guard, table, "name that in `where`", fault);
}

/* A duplicate of a key or unique index without the column may be a row of another stream. Gives `result`. */
static int
judge_duplicate(const struct moon_guard *guard, uint16_t number, int result, struct fault *fault)
{
	const struct table *table = table_of(guard, number);
	if (result == 0 || table->stream_column == 0 || strcmp(fault->code, "duplicate_row") != 0)
		return result;
	bool own = place_in_key(table) >= 0;
	for (uint16_t i = 0; i < table->index_count; i++)
		own = own && (!table->indexes[i].unique ||
			      has_column(&table->indexes[i], (uint16_t)(table->stream_column - 1)));
	if (!own)
		fault->class = FAULT_SCRIPT;
	return result;
}

static int
guard_get(void *self, uint16_t number, const struct cell *key, struct arena *arena, struct row *row, bool *found,
	  struct fault *fault)
{
	struct moon_guard *guard = self;
	const struct table *table = table_of(guard, number);
	int place = table->stream_column != 0 ? place_in_key(table) : -1;
	if (place >= 0 && !is_own(guard, &key[place]))
		return foreign(guard, table, "this key is of another stream", fault);
	if (guard->behind->get(guard->behind->self, number, key, arena, row, found, fault) != 0)
		return -1;
	if (!*found || table->stream_column == 0 || is_own(guard, &row->cells[table->stream_column - 1]))
		return 0;
	return foreign(guard, table, "the row of this key is of another stream", fault);
}

static int
guard_put(void *self, uint16_t number, const struct row *row, struct fault *fault)
{
	struct moon_guard *guard = self;
	const struct table *table = table_of(guard, number);
	struct cell key[ROW_KEY_MAX];
	if (check_row(guard, number, row->cells, fault) != 0)
		return -1;
	for (uint16_t i = 0; i < table->key.count; i++)
		key[i] = row->cells[table->key.columns[i]];
	if (check_key(guard, number, key, fault) != 0)
		return -1;
	return judge_duplicate(guard, number, guard->behind->put(guard->behind->self, number, row, fault), fault);
}

static int
guard_insert(void *self, uint16_t number, const struct row *row, struct fault *fault)
{
	struct moon_guard *guard = self;
	if (check_row(guard, number, row->cells, fault) != 0)
		return -1;
	return judge_duplicate(guard, number, guard->behind->insert(guard->behind->self, number, row, fault), fault);
}

static int
guard_update(void *self, uint16_t number, const struct cell *key, const struct row *changes, bool *found,
	     struct fault *fault)
{
	struct moon_guard *guard = self;
	const struct table *table = table_of(guard, number);
	if (table->stream_column != 0 && changes->cells[table->stream_column - 1].kind != CELL_UNSET &&
	    check_row(guard, number, changes->cells, fault) != 0)
		return -1;
	if (check_key(guard, number, key, fault) != 0)
		return -1;
	int result = guard->behind->update(guard->behind->self, number, key, changes, found, fault);
	return judge_duplicate(guard, number, result, fault);
}

static int
guard_add(void *self, uint16_t number, const struct cell *key, const struct row *amounts, struct fault *fault)
{
	struct moon_guard *guard = self;
	if (check_key(guard, number, key, fault) != 0)
		return -1;
	return guard->behind->add(guard->behind->self, number, key, amounts, fault);
}

static int
guard_remove(void *self, uint16_t number, const struct cell *key, bool *found, struct fault *fault)
{
	struct moon_guard *guard = self;
	if (check_key(guard, number, key, fault) != 0)
		return -1;
	return guard->behind->remove(guard->behind->self, number, key, found, fault);
}

static int
guard_remove_where(void *self, uint16_t number, const struct filter *filters, size_t count, uint64_t *removed,
		   struct fault *fault)
{
	struct moon_guard *guard = self;
	if (check_filters(guard, number, filters, count, fault) != 0)
		return -1;
	return guard->behind->remove_where(guard->behind->self, number, filters, count, removed, fault);
}

static int
guard_find(void *self, const struct row_query *query, struct arena *arena, struct row **rows, size_t *count,
	   struct fault *fault)
{
	struct moon_guard *guard = self;
	if (check_filters(guard, query->table, query->filters, query->filter_count, fault) != 0)
		return -1;
	return guard->behind->find(guard->behind->self, query, arena, rows, count, fault);
}

static int
guard_count(void *self, const struct row_query *query, uint64_t *count, struct fault *fault)
{
	struct moon_guard *guard = self;
	if (check_filters(guard, query->table, query->filters, query->filter_count, fault) != 0)
		return -1;
	return guard->behind->count(guard->behind->self, query, count, fault);
}

void
moon_guard_init(struct moon_guard *guard, const struct row_port *behind)
{
	guard->behind = behind;
	arena_init(&guard->scratch, SIZE_MAX);
	guard->port = (struct row_port){
		.tables = behind->tables,
		.table_count = behind->table_count,
		.writable = behind->writable,
		.self = guard,
		.get = guard_get,
		.put = guard_put,
		.insert = guard_insert,
		.update = guard_update,
		.add = guard_add,
		.remove = guard_remove,
		.remove_where = guard_remove_where,
		.find = guard_find,
		.count = guard_count,
	};
}

void
moon_guard_fini(struct moon_guard *guard)
{
	arena_fini(&guard->scratch);
}

void
moon_guard_stream(struct moon_guard *guard, struct slice stream)
{
	const char *slash = memchr(stream.data, '/', stream.size);
	guard->stream = stream;
	guard->id = slash == NULL ? SLICE_NONE : slice_from(slash + 1, stream.size - (size_t)(slash + 1 - stream.data));
}
