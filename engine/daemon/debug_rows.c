/* SPDX-License-Identifier: MIT */
/* A port between projection and rows: reads go through, a write first notes the row of its key, once an event. */
#include "daemon/debug_rows.h"

#include <stdlib.h>

#include "view/memory/view_memory.h"
#include "view/rows.h"

#define ARENA_MAX ((size_t)256 << 20)
#define TEXT_MAX  ((size_t)16 << 20)

/* ---- noting ---- */

static const struct table *
table_of(const struct debug_rows *rows, uint16_t number)
{
	return &rows->port.tables[number];
}

static bool
same_key(const struct table *table, const struct cell *a, const struct cell *b)
{
	for (uint16_t i = 0; i < table->key.count; i++)
		if (rows_compare(&a[i], &b[i]) != 0)
			return false;
	return true;
}

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the rows of an event");
}

static struct cell *
copy_key(struct debug_rows *rows, const struct table *table, const struct cell *key)
{
	struct cell *copy = arena_zero(&rows->arena, table->key.count, sizeof(*copy));

	for (uint16_t i = 0; copy != NULL && i < table->key.count; i++) {
		copy[i] = key[i];
		if (key[i].kind == CELL_TEXT && (copy[i].text = arena_copy(&rows->arena, key[i].text)).data == NULL)
			return NULL;
	}
	return copy;
}

static int
note(struct debug_rows *rows, uint16_t number, const struct cell *key, struct fault *fault)
{
	const struct table *table = table_of(rows, number);
	struct touched *item;

	if (!rows->noting)
		return 0;
	for (size_t i = 0; i < rows->count; i++)
		if (rows->items[i].table == number && same_key(table, rows->items[i].key, key))
			return 0;
	if (rows->count == rows->room) {
		size_t room = rows->room != 0 ? rows->room * 2 : 16;
		struct touched *items = realloc(rows->items, room * sizeof(*items));
		if (items == NULL)
			return no_memory(fault);
		rows->items = items;
		rows->room = room;
	}
	item = &rows->items[rows->count];
	*item = (struct touched){ .table = number, .key = copy_key(rows, table, key) };
	if (item->key == NULL)
		return no_memory(fault);
	if (rows->below->get(rows->below->self, number, item->key, &rows->arena, &item->before, &item->had, fault) != 0)
		return -1;
	rows->count++;
	return 0;
}

static int
note_row(struct debug_rows *rows, uint16_t number, const struct row *row, struct fault *fault)
{
	const struct table *table = table_of(rows, number);
	struct cell *key = arena_zero(&rows->arena, table->key.count, sizeof(*key));

	if (key == NULL)
		return no_memory(fault);
	rows_key_of(table, row->cells, key);
	return note(rows, number, key, fault);
}

static int
note_found(struct debug_rows *rows, uint16_t number, const struct filter *filters, size_t count, struct fault *fault)
{
	struct row_query query = { .table = number, .filters = filters, .filter_count = count, .limit = ROW_LIMIT_MAX };
	struct row *found;
	size_t found_count = 0;

	if (!rows->noting)
		return 0;
	do {
		if (rows->below->find(rows->below->self, &query, &rows->arena, &found, &found_count, fault) != 0)
			return -1;
		for (size_t i = 0; i < found_count; i++)
			if (note_row(rows, number, &found[i], fault) != 0)
				return -1;
		query.offset += ROW_LIMIT_MAX;
	} while (found_count == ROW_LIMIT_MAX);
	return 0;
}

/* ---- the port ---- */

static int
port_get(void *self, uint16_t table, const struct cell *key, struct arena *arena, struct row *row, bool *found,
	 struct fault *fault)
{
	const struct row_port *below = ((struct debug_rows *)self)->below;

	return below->get(below->self, table, key, arena, row, found, fault);
}

static int
port_put(void *self, uint16_t table, const struct row *row, struct fault *fault)
{
	struct debug_rows *rows = self;

	return note_row(rows, table, row, fault) != 0 ? -1 : rows->below->put(rows->below->self, table, row, fault);
}

static int
port_insert(void *self, uint16_t table, const struct row *row, struct fault *fault)
{
	struct debug_rows *rows = self;

	return note_row(rows, table, row, fault) != 0 ? -1 : rows->below->insert(rows->below->self, table, row, fault);
}

static int
port_update(void *self, uint16_t table, const struct cell *key, const struct row *changes, bool *found,
	    struct fault *fault)
{
	struct debug_rows *rows = self;

	if (note(rows, table, key, fault) != 0)
		return -1;
	return rows->below->update(rows->below->self, table, key, changes, found, fault);
}

static int
port_add(void *self, uint16_t table, const struct cell *key, const struct row *amounts, struct fault *fault)
{
	struct debug_rows *rows = self;

	return note(rows, table, key, fault) != 0 ? -1
						  : rows->below->add(rows->below->self, table, key, amounts, fault);
}

static int
port_remove(void *self, uint16_t table, const struct cell *key, bool *found, struct fault *fault)
{
	struct debug_rows *rows = self;

	return note(rows, table, key, fault) != 0 ? -1
						  : rows->below->remove(rows->below->self, table, key, found, fault);
}

static int
port_remove_where(void *self, uint16_t table, const struct filter *filters, size_t count, uint64_t *removed,
		  struct fault *fault)
{
	struct debug_rows *rows = self;

	if (note_found(rows, table, filters, count, fault) != 0)
		return -1;
	return rows->below->remove_where(rows->below->self, table, filters, count, removed, fault);
}

static int
port_find(void *self, const struct row_query *query, struct arena *arena, struct row **found, size_t *count,
	  struct fault *fault)
{
	const struct row_port *below = ((struct debug_rows *)self)->below;

	return below->find(below->self, query, arena, found, count, fault);
}

static int
port_count(void *self, const struct row_query *query, uint64_t *count, struct fault *fault)
{
	const struct row_port *below = ((struct debug_rows *)self)->below;

	return below->count(below->self, query, count, fault);
}

/* ---- opening ---- */

int
debug_rows_open(struct debug_rows *rows, const struct rules *rules, struct fault *fault)
{
	const struct script_program *program = rules->program;
	uint16_t *numbers = calloc(program->table_count + 1, sizeof(*numbers));
	const uint8_t hash[32] = { 0 };
	int result = -1;

	*rows = (struct debug_rows){ .rules = rules };
	arena_init(&rows->arena, ARENA_MAX);
	if (numbers == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < program->table_count; i++)
		numbers[i] = (uint16_t)i;
	if (view_memory_open(program->tables, program->table_count, &rows->view, fault) == 0 &&
	    view_define(rows->view, SLICE("debug"), hash, numbers, program->table_count, fault) == 0 &&
	    view_begin(rows->view, fault) == 0)
		result = 0;
	free(numbers);
	if (result != 0)
		return -1;
	rows->below = view_rows(rows->view);
	rows->port = *rows->below;
	rows->port.self = rows;
	rows->port.get = port_get;
	rows->port.put = port_put;
	rows->port.insert = port_insert;
	rows->port.update = port_update;
	rows->port.add = port_add;
	rows->port.remove = port_remove;
	rows->port.remove_where = port_remove_where;
	rows->port.find = port_find;
	rows->port.count = port_count;
	return 0;
}

void
debug_rows_close(struct debug_rows *rows)
{
	if (rows->view != NULL) {
		view_rollback(rows->view);
		view_close(rows->view);
	}
	arena_fini(&rows->arena);
	free(rows->items);
	*rows = (struct debug_rows){ .count = 0 };
}

void
debug_rows_past(struct debug_rows *rows, const struct recorded_entry *entries, size_t count)
{
	size_t projections = rows->rules->program->projection_count, done;
	struct fault fault;

	for (size_t i = 0; i < projections; i++)
		for (size_t at = 0; at < count; at += done + 1) {
			done = 0;
			if (script_project(rows->rules->machine, (uint16_t)i, rows->below, entries + at, count - at,
					   &done, &fault) == 0)
				break;
		}
	arena_clear(&rows->arena);
}

/* ---- one event ---- */

static struct slice
row_text(struct debug_rows *rows, const struct table *table, const struct row *row, struct buf *out)
{
	buf_clear(out);
	rows_write(table, row->cells, false, out);
	return out->failed ? SLICE_NONE : arena_copy(&rows->arena, buf_slice(out));
}

static int
tell_changes(struct debug_rows *rows, struct slice projection, const struct debug_rows_sink *sink, struct buf *text,
	     struct fault *fault)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct touched *item = &rows->items[i];
		const struct table *table = table_of(rows, item->table);
		struct slice before = SLICE_NONE, after = SLICE_NONE;
		struct row row;
		bool has;
		if (rows->below->get(rows->below->self, item->table, item->key, &rows->arena, &row, &has, fault) != 0)
			return -1;
		if (item->had)
			before = row_text(rows, table, &item->before, text);
		if (has)
			after = row_text(rows, table, &row, text);
		if ((item->had && before.data == NULL) || (has && after.data == NULL))
			return no_memory(fault);
		if (!slice_equal(before, after))
			sink->each(sink->self, projection, table->name, before, after);
	}
	return 0;
}

int
debug_rows_entry(struct debug_rows *rows, const struct recorded_entry *entry, const struct debug_rows_sink *sink,
		 struct fault *fault)
{
	const struct script_program *program = rows->rules->program;
	struct buf text;
	int result = 0;

	buf_init(&text, TEXT_MAX);
	rows->noting = true;
	for (size_t i = 0; i < program->projection_count && result == 0; i++) {
		struct fault own;
		size_t done = 0;
		rows->count = 0;
		arena_clear(&rows->arena);
		if (script_project(rows->rules->machine, (uint16_t)i, &rows->port, entry, 1, &done, &own) != 0)
			sink->failed(sink->self, program->projections[i].name, &own);
		result = tell_changes(rows, program->projections[i].name, sink, &text, fault);
	}
	rows->noting = false;
	buf_fini(&text);
	return result;
}
