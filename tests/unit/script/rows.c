/* SPDX-License-Identifier: MIT */
#include "unit/script/rows.h"

static struct cell
keep(struct rows *rows, struct cell cell)
{
	if (cell.kind == CELL_TEXT)
		cell.text = arena_copy(&rows->arena, cell.text);
	if (cell.kind == CELL_UNSET)
		cell.kind = CELL_NULL;
	return cell;
}

static bool
same(const struct cell *a, const struct cell *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == CELL_TEXT)
		return slice_equal(a->text, b->text);
	return a->kind == CELL_INTEGER ? a->integer == b->integer : a->kind == CELL_NULL || a->real == b->real;
}

static struct row *
find_row(struct rows *rows, uint16_t number, const struct cell *key, size_t *at)
{
	const struct table *table = &rows->port.tables[number];
	for (*at = 0; *at < rows->count; (*at)++) {
		bool match = rows->items[*at].table == number && !rows->items[*at].gone;
		for (uint16_t i = 0; match && i < table->key.count; i++)
			match = same(&rows->items[*at].row.cells[table->key.columns[i]], &key[i]);
		if (match)
			return &rows->items[*at].row;
	}
	return NULL;
}

static int
get(void *self, uint16_t number, const struct cell *key, struct arena *arena, struct row *row, bool *found,
    struct fault *fault)
{
	size_t at;
	(void)arena, (void)fault;
	const struct row *there = find_row(self, number, key, &at);
	*found = there != NULL;
	if (there != NULL)
		*row = *there;
	return 0;
}

static struct row *
make_row(struct rows *rows, uint16_t number, const struct row *from)
{
	uint16_t columns = rows->port.tables[number].column_count;
	struct row *row = &rows->items[rows->count].row;
	rows->items[rows->count].table = number;
	rows->items[rows->count++].gone = false;
	row->cells = arena_zero(&rows->arena, columns, sizeof *row->cells);
	for (uint16_t i = 0; i < columns; i++)
		row->cells[i] = keep(rows, from->cells[i]);
	return row;
}

static void
key_of(const struct table *table, const struct row *row, struct cell *key)
{
	for (uint16_t i = 0; i < table->key.count; i++)
		key[i] = row->cells[table->key.columns[i]];
}

static int
put(void *self, uint16_t number, const struct row *row, struct fault *fault)
{
	struct rows *rows = self;
	struct cell key[16];
	size_t at;
	(void)fault;
	key_of(&rows->port.tables[number], row, key);
	if (find_row(rows, number, key, &at) != NULL)
		rows->items[at].gone = true;
	make_row(rows, number, row);
	return 0;
}

static int
insert(void *self, uint16_t number, const struct row *row, struct fault *fault)
{
	struct rows *rows = self;
	struct cell key[16];
	size_t at;
	key_of(&rows->port.tables[number], row, key);
	if (find_row(rows, number, key, &at) != NULL)
		return fault_set(fault, FAULT_INPUT, "duplicate_row", "the row is there");
	make_row(rows, number, row);
	return 0;
}

static int
update(void *self, uint16_t number, const struct cell *key, const struct row *changes, bool *found, struct fault *fault)
{
	struct rows *rows = self;
	size_t at;
	(void)fault;
	struct row *row = find_row(rows, number, key, &at);
	*found = row != NULL;
	for (uint16_t i = 0; row != NULL && i < rows->port.tables[number].column_count; i++)
		if (changes->cells[i].kind != CELL_UNSET)
			row->cells[i] = keep(rows, changes->cells[i]);
	return 0;
}

static int
add(void *self, uint16_t number, const struct cell *key, const struct row *amounts, struct fault *fault)
{
	struct rows *rows = self;
	const struct table *table = &rows->port.tables[number];
	size_t at;
	(void)fault;
	struct row *row = find_row(rows, number, key, &at);
	if (row == NULL) {
		struct cell cells[32] = { { .kind = CELL_NULL } };
		for (uint16_t i = 0; i < table->key.count; i++)
			cells[table->key.columns[i]] = key[i];
		row = make_row(rows, number, &(struct row){ cells });
	}
	for (uint16_t i = 0; i < table->column_count; i++) {
		if (amounts->cells[i].kind == CELL_UNSET)
			continue;
		int64_t before = row->cells[i].kind == CELL_INTEGER ? row->cells[i].integer : 0;
		row->cells[i] = (struct cell){ .kind = CELL_INTEGER, .integer = before + amounts->cells[i].integer };
	}
	return 0;
}

static int
remove_row(void *self, uint16_t number, const struct cell *key, bool *found, struct fault *fault)
{
	struct rows *rows = self;
	size_t at;
	(void)fault;
	*found = find_row(rows, number, key, &at) != NULL;
	if (*found)
		rows->items[at].gone = true;
	return 0;
}

static bool
passes(const struct row *row, const struct filter *filters, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct cell *cell = &row->cells[filters[i].column];
		bool pass = false;
		switch (filters[i].op) {
		case FILTER_EQ:
			pass = same(cell, &filters[i].value);
			break;
		case FILTER_GE:
			pass = cell->kind == CELL_INTEGER && cell->integer >= filters[i].value.integer;
			break;
		case FILTER_IS_NULL:
			pass = cell->kind == CELL_NULL;
			break;
		case FILTER_NOT_NULL:
			pass = cell->kind != CELL_NULL;
			break;
		default:
			break;
		}
		if (!pass)
			return false;
	}
	return true;
}

static int
remove_where(void *self, uint16_t number, const struct filter *filters, size_t count, uint64_t *removed,
	     struct fault *fault)
{
	struct rows *rows = self;
	(void)fault;
	*removed = 0;
	for (size_t i = 0; i < rows->count; i++) {
		if (rows->items[i].table == number && !rows->items[i].gone &&
		    passes(&rows->items[i].row, filters, count)) {
			rows->items[i].gone = true;
			(*removed)++;
		}
	}
	return 0;
}

static int
find(void *self, const struct row_query *query, struct arena *arena, struct row **found, size_t *count,
     struct fault *fault)
{
	struct rows *rows = self;
	(void)fault;
	*found = arena_zero(arena, rows->count + 1, sizeof **found);
	*count = 0;
	for (size_t i = 0; i < rows->count && *count < query->limit; i++)
		if (rows->items[i].table == query->table && !rows->items[i].gone &&
		    passes(&rows->items[i].row, query->filters, query->filter_count))
			(*found)[(*count)++] = rows->items[i].row;
	return 0;
}

static int
count_rows(void *self, const struct row_query *query, uint64_t *count, struct fault *fault)
{
	struct arena arena;
	struct row *found;
	size_t number;
	arena_init(&arena, 1 << 20);
	int result = find(self, query, &arena, &found, &number, fault);
	*count = number;
	arena_fini(&arena);
	return result;
}

void
rows_init(struct rows *rows, const struct table *tables, size_t count)
{
	*rows = (struct rows){ 0 };
	arena_init(&rows->arena, 16 << 20);
	rows->port = (struct row_port){ .tables = tables,
					.table_count = (uint16_t)count,
					.writable = true,
					.self = rows,
					.get = get,
					.put = put,
					.insert = insert,
					.update = update,
					.add = add,
					.remove = remove_row,
					.remove_where = remove_where,
					.find = find,
					.count = count_rows };
}

void
rows_fini(struct rows *rows)
{
	arena_fini(&rows->arena);
}

struct slice
rows_text(struct rows *rows, uint16_t table)
{
	struct slice text = arena_copy(&rows->arena, SLICE_NONE);
	for (size_t i = 0; i < rows->count; i++) {
		if (rows->items[i].table != table || rows->items[i].gone)
			continue;
		for (uint16_t c = 0; c < rows->port.tables[table].column_count; c++) {
			const struct cell *cell = &rows->items[i].row.cells[c];
			const char *bar = c > 0 ? "|" : "";
			if (cell->kind == CELL_TEXT)
				text = arena_format(&rows->arena, "%.*s%s%.*s", SLICE_ARG(text), bar,
						    SLICE_ARG(cell->text));
			else if (cell->kind == CELL_INTEGER)
				text = arena_format(&rows->arena, "%.*s%s%lld", SLICE_ARG(text), bar,
						    (long long)cell->integer);
			else
				text = arena_format(&rows->arena, "%.*s%s-", SLICE_ARG(text), bar);
		}
		text = arena_format(&rows->arena, "%.*s;", SLICE_ARG(text));
	}
	return text;
}
