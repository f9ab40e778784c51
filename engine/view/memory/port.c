/* SPDX-License-Identifier: MIT */
/*
 * The row port over a state: a batch's own or a reader's snapshot. Checks first (view/rows.h), then one replacement
 * or removal; finding is a scan of the whole pile.
 */
#include <stdlib.h>

#include "view/memory/piles.h"
#include "view/rows.h"

static const struct table *
table_of(const struct window *window, uint16_t table)
{
	must(window->state != NULL && table + 1U < window->state->count);
	return window->state->piles[table]->table;
}

/* The key's cells spread over a whole row, so that it can be looked up; NULL when memory ran out. */
static struct cell *
spread(const struct table *table, const struct cell *key)
{
	struct cell *cells = calloc(table->column_count, sizeof(*cells));
	for (uint16_t i = 0; cells != NULL && i < table->key.count; i++)
		cells[table->key.columns[i]] = key[i];
	return cells;
}

static int
look_up(struct window *window, uint16_t number, const struct cell *key, struct kept **row, struct fault *fault)
{
	const struct table *table = table_of(window, number);
	if (rows_check_key(table, key, fault) != 0)
		return -1;
	struct cell *cells = spread(table, key);
	if (cells == NULL)
		return view_memory_none_left(fault);
	*row = view_memory_pile_get(window->state->piles[number], cells);
	free(cells);
	return 0;
}

int
view_memory_give(const struct table *table, const struct kept *from, struct arena *arena, struct row *row,
		 struct fault *fault)
{
	row->cells = arena_alloc(arena, table->column_count * sizeof(struct cell));
	if (row->cells == NULL)
		return view_memory_none_left(fault);
	for (uint16_t i = 0; i < table->column_count; i++) {
		row->cells[i] = from->cells[i];
		if (from->cells[i].kind != CELL_TEXT)
			continue;
		row->cells[i].text = arena_copy(arena, from->cells[i].text);
		if (row->cells[i].text.data == NULL)
			return view_memory_none_left(fault);
	}
	return 0;
}

static int
port_get(void *self, uint16_t number, const struct cell *key, struct arena *arena, struct row *row, bool *found,
	 struct fault *fault)
{
	struct window *window = self;
	struct kept *kept = NULL;
	if (look_up(window, number, key, &kept, fault) != 0)
		return -1;
	*found = kept != NULL;
	return kept != NULL ? view_memory_give(table_of(window, number), kept, arena, row, fault) : 0;
}

static int
port_put(void *self, uint16_t number, const struct row *row, struct fault *fault)
{
	struct window *window = self;
	must(window->writable);
	if (rows_check_row(table_of(window, number), row, fault) != 0)
		return -1;
	struct kept *old = view_memory_pile_get(window->state->piles[number], row->cells);
	return view_memory_pile_replace(window->state, number, old, row->cells, fault);
}

static int
port_insert(void *self, uint16_t number, const struct row *row, struct fault *fault)
{
	struct window *window = self;
	must(window->writable);
	if (rows_check_row(table_of(window, number), row, fault) != 0)
		return -1;
	return view_memory_pile_replace(window->state, number, NULL, row->cells, fault);
}

static int
port_update(void *self, uint16_t number, const struct cell *key, const struct row *changes, bool *found,
	    struct fault *fault)
{
	struct window *window = self;
	struct kept *old = NULL;
	must(window->writable);
	if (look_up(window, number, key, &old, fault) != 0)
		return -1;
	const struct table *table = table_of(window, number);
	if (rows_check_changes(table, key, changes, fault) != 0)
		return -1;
	*found = old != NULL;
	if (old == NULL)
		return 0;
	struct cell *cells = malloc(table->column_count * sizeof(*cells));
	if (cells == NULL)
		return view_memory_none_left(fault);
	for (uint16_t i = 0; i < table->column_count; i++)
		cells[i] = changes->cells[i].kind != CELL_UNSET ? changes->cells[i] : old->cells[i];
	int result = view_memory_pile_replace(window->state, number, old, cells, fault);
	free(cells);
	return result;
}

static int
port_add(void *self, uint16_t number, const struct cell *key, const struct row *amounts, struct fault *fault)
{
	struct window *window = self;
	struct kept *old = NULL;
	must(window->writable);
	if (look_up(window, number, key, &old, fault) != 0)
		return -1;
	const struct table *table = table_of(window, number);
	if (rows_check_amounts(table, amounts, fault) != 0)
		return -1;
	struct cell *cells = malloc(table->column_count * sizeof(*cells));
	if (cells == NULL)
		return view_memory_none_left(fault);
	int result = rows_sum(table, key, old != NULL ? old->cells : NULL, amounts, cells, fault);
	if (result == 0)
		result = view_memory_pile_replace(window->state, number, old, cells, fault);
	free(cells);
	return result;
}

static int
port_remove(void *self, uint16_t number, const struct cell *key, bool *found, struct fault *fault)
{
	struct window *window = self;
	struct kept *old = NULL;
	must(window->writable);
	if (look_up(window, number, key, &old, fault) != 0)
		return -1;
	*found = old != NULL;
	return old != NULL ? view_memory_pile_remove(window->state, number, old, fault) : 0;
}

static int
port_remove_where(void *self, uint16_t number, const struct filter *filters, size_t count, uint64_t *removed,
		  struct fault *fault)
{
	struct window *window = self;
	must(window->writable);
	*removed = 0;
	if (rows_check_filters(table_of(window, number), filters, count, fault) != 0)
		return -1;
	for (size_t i = 0; i < window->state->piles[number]->count;) {
		struct kept *row = window->state->piles[number]->lists[0].items[i];
		if (!rows_hold(filters, count, row->cells)) {
			i++;
			continue;
		}
		if (view_memory_pile_remove(window->state, number, row, fault) != 0)
			return -1;
		++*removed;
	}
	return 0;
}

struct sorting {
	const struct row_query *query;
	const struct column_set *key;
};

static int
compare_found(const void *a, const void *b, void *self)
{
	const struct sorting *sorting = self;
	const struct cell *left = (*(struct kept *const *)a)->cells, *right = (*(struct kept *const *)b)->cells;
	for (size_t i = 0; i < sorting->query->order_count; i++) {
		const struct order *by = &sorting->query->orders[i];
		int order = rows_compare(&left[by->column], &right[by->column]);
		if (order != 0)
			return by->descending ? -order : order;
	}
	return rows_compare_by(sorting->key, left, right);
}

static int
port_find(void *self, const struct row_query *query, struct arena *arena, struct row **rows, size_t *count,
	  struct fault *fault)
{
	struct window *window = self;
	const struct table *table = table_of(window, query->table);
	const struct pile *pile = window->state->piles[query->table];
	if (rows_check_query(table, query, true, fault) != 0)
		return -1;
	struct kept **matches = malloc((pile->count + 1) * sizeof(*matches));
	if (matches == NULL)
		return view_memory_none_left(fault);
	size_t found = 0;
	for (size_t i = 0; i < pile->count; i++)
		if (rows_hold(query->filters, query->filter_count, pile->lists[0].items[i]->cells))
			matches[found++] = pile->lists[0].items[i];
	if (query->order_count != 0)
		qsort_r(matches, found, sizeof(*matches), compare_found, &(struct sorting){ query, &table->key });
	size_t first = query->offset < found ? query->offset : found;
	*count = found - first < query->limit ? found - first : query->limit;
	*rows = arena_alloc(arena, (*count + 1) * sizeof(struct row));
	int result = *rows != NULL ? 0 : view_memory_none_left(fault);
	for (size_t i = 0; i < *count && result == 0; i++)
		result = view_memory_give(table, matches[first + i], arena, &(*rows)[i], fault);
	free(matches);
	return result;
}

static int
port_scan(void *self, uint16_t number, const struct cell *after, uint32_t limit, struct arena *arena, struct row **rows,
	  size_t *count, struct fault *fault)
{
	struct window *window = self;
	const struct table *table = table_of(window, number);
	const struct pile *pile = window->state->piles[number];
	size_t first = 0;
	if (after != NULL) {
		struct cell *cells = spread(table, after);
		if (cells == NULL)
			return view_memory_none_left(fault);
		first = view_memory_pile_after(pile, cells);
		free(cells);
	}
	*count = pile->count - first < limit ? pile->count - first : limit;
	*rows = arena_alloc(arena, (*count + 1) * sizeof(struct row));
	int result = *rows != NULL ? 0 : view_memory_none_left(fault);
	for (size_t i = 0; i < *count && result == 0; i++)
		result = view_memory_give(table, pile->lists[0].items[first + i], arena, &(*rows)[i], fault);
	return result;
}

static int
port_count(void *self, const struct row_query *query, uint64_t *count, struct fault *fault)
{
	struct window *window = self;
	const struct pile *pile = window->state->piles[query->table];
	if (rows_check_query(table_of(window, query->table), query, false, fault) != 0)
		return -1;
	*count = 0;
	for (size_t i = 0; i < pile->count; i++)
		*count += rows_hold(query->filters, query->filter_count, pile->lists[0].items[i]->cells);
	return 0;
}

void
view_memory_window_init(struct window *window, const struct view *view, bool writable)
{
	window->writable = writable;
	window->port = (struct row_port){
		.tables = view->tables,
		.table_count = (uint16_t)view->table_count,
		.writable = writable,
		.self = window,
		.get = port_get,
		.put = port_put,
		.insert = port_insert,
		.update = port_update,
		.add = port_add,
		.remove = port_remove,
		.remove_where = port_remove_where,
		.find = port_find,
		.count = port_count,
		.scan = port_scan,
	};
}
