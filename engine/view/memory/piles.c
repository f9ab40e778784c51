/* SPDX-License-Identifier: MIT */
/*
 * Rows, piles of rows, states of piles.
 *
 * A row is written once and shared by counting. A pile that somebody else can see is copied before it changes; its
 * lists are sorted arrays, so that a key or a unique value is found by halving. A new row is checked against every
 * unique list before anything changes.
 */
#include "view/memory/piles.h"

#include <stdlib.h>

#include "view/rows.h"

int
view_memory_none_left(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the read model");
}

/* ---- rows and piles ---- */

static struct kept *
kept_make(const struct table *table, const struct cell *cells)
{
	size_t size = sizeof(struct kept) + table->column_count * sizeof(struct cell), text = size;
	for (uint16_t i = 0; i < table->column_count; i++)
		size += cells[i].kind == CELL_TEXT ? cells[i].text.size : 0;
	struct kept *kept = malloc(size);
	if (kept == NULL)
		return NULL;
	atomic_init(&kept->refs, 1);
	for (uint16_t i = 0; i < table->column_count; i++) {
		kept->cells[i] = rows_stored(&table->columns[i], &cells[i]);
		if (cells[i].kind != CELL_TEXT)
			continue;
		char *to = (char *)kept + text;
		if (cells[i].text.size != 0)
			memcpy(to, cells[i].text.data, cells[i].text.size);
		kept->cells[i].text.data = to;
		text += cells[i].text.size;
	}
	return kept;
}

static void
kept_drop(struct kept *kept)
{
	if (kept != NULL && atomic_fetch_sub(&kept->refs, 1) == 1)
		free(kept);
}

void
view_memory_pile_drop(struct pile *pile)
{
	if (pile == NULL || atomic_fetch_sub(&pile->refs, 1) != 1)
		return;
	for (size_t i = 0; i < pile->count; i++)
		kept_drop(pile->lists[0].items[i]);
	for (size_t i = 0; i < pile->list_count; i++)
		free(pile->lists[i].items);
	free(pile);
}

static size_t
unique_count(const struct table *table)
{
	size_t count = 0;
	for (uint16_t i = 0; i < table->index_count; i++)
		count += table->indexes[i].unique;
	return count;
}

struct pile *
view_memory_pile_make(const struct table *table, size_t room)
{
	size_t lists = 1 + unique_count(table);
	struct pile *pile = calloc(1, sizeof(*pile) + lists * sizeof(struct list));
	if (pile == NULL)
		return NULL;
	atomic_init(&pile->refs, 1);
	pile->table = table;
	pile->room = room;
	pile->lists[pile->list_count++].set = &table->key;
	for (uint16_t i = 0; i < table->index_count; i++)
		if (table->indexes[i].unique)
			pile->lists[pile->list_count++].set = &table->indexes[i];
	for (size_t i = 0; i < lists && room != 0; i++) {
		pile->lists[i].items = malloc(room * sizeof(struct kept *));
		if (pile->lists[i].items == NULL) {
			view_memory_pile_drop(pile);
			return NULL;
		}
	}
	return pile;
}

/* Rows are shared, lists copied. The pile is nobody else's yet; it has room. */
static void
pile_fill(struct pile *pile, const struct pile *from)
{
	pile->count = from->count;
	for (size_t i = 0; i < pile->list_count && from->count != 0; i++)
		memcpy(pile->lists[i].items, from->lists[i].items, from->count * sizeof(struct kept *));
	for (size_t i = 0; i < pile->count; i++)
		atomic_fetch_add(&pile->lists[0].items[i]->refs, 1);
}

struct pile *
view_memory_pile_share(const struct pile *from, const struct table *table)
{
	struct pile *pile = view_memory_pile_make(table, from->count);
	if (pile != NULL)
		pile_fill(pile, from);
	return pile;
}

/* The pile, seen by nobody else and with room for one more row; NULL when memory ran out. */
static struct pile *
pile_own(struct state *state, uint16_t number)
{
	struct pile *old = state->piles[number];
	if (atomic_load(&old->refs) == 1 && old->count < old->room)
		return old;
	struct pile *pile = view_memory_pile_make(old->table, old->count + old->count / 2 + 16);
	if (pile == NULL)
		return NULL;
	pile_fill(pile, old);
	view_memory_pile_drop(old);
	state->piles[number] = pile;
	return pile;
}

/* First row of the list that is not before `cells` by the list's set, and then by the key when `exact`. */
static size_t
list_seek(const struct pile *pile, size_t number, const struct cell *cells, bool exact)
{
	const struct list *list = &pile->lists[number];
	size_t low = 0, high = pile->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = rows_compare_by(list->set, list->items[middle]->cells, cells);
		if (order == 0 && exact)
			order = rows_compare_by(&pile->table->key, list->items[middle]->cells, cells);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct kept *
view_memory_pile_get(const struct pile *pile, const struct cell *cells)
{
	size_t at = list_seek(pile, 0, cells, false);
	if (at < pile->count && rows_compare_by(&pile->table->key, pile->lists[0].items[at]->cells, cells) == 0)
		return pile->lists[0].items[at];
	return NULL;
}

size_t
view_memory_pile_after(const struct pile *pile, const struct cell *cells)
{
	size_t at = list_seek(pile, 0, cells, false);
	bool there =
		at < pile->count && rows_compare_by(&pile->table->key, pile->lists[0].items[at]->cells, cells) == 0;
	return there ? at + 1 : at;
}

static void
pile_take_out(struct pile *pile, struct kept *row)
{
	for (size_t i = 0; i < pile->list_count; i++) {
		size_t at = list_seek(pile, i, row->cells, true);
		must(pile->lists[i].items[at] == row);
		memmove(&pile->lists[i].items[at], &pile->lists[i].items[at + 1],
			(pile->count - at - 1) * sizeof(struct kept *));
	}
	pile->count--;
	kept_drop(row);
}

static void
pile_put_in(struct pile *pile, struct kept *row)
{
	must(pile->count < pile->room);
	for (size_t i = 0; i < pile->list_count; i++) {
		size_t at = list_seek(pile, i, row->cells, true);
		memmove(&pile->lists[i].items[at + 1], &pile->lists[i].items[at],
			(pile->count - at) * sizeof(struct kept *));
		pile->lists[i].items[at] = row;
	}
	pile->count++;
}

/* Nulls are never equal to each other in a unique index. */
static bool
has_null(const struct column_set *set, const struct cell *cells)
{
	for (uint16_t i = 0; i < set->count; i++)
		if (cells[set->columns[i]].kind == CELL_NULL)
			return true;
	return false;
}

static int
check_unique(const struct pile *pile, const struct cell *cells, const struct kept *replaced, struct fault *fault)
{
	for (size_t i = 0; i < pile->list_count; i++) {
		const struct column_set *set = pile->lists[i].set;
		if (has_null(set, cells))
			continue;
		size_t at = list_seek(pile, i, cells, false);
		if (at < pile->count && pile->lists[i].items[at] != replaced &&
		    rows_compare_by(set, pile->lists[i].items[at]->cells, cells) == 0)
			return rows_duplicate(pile->table, set, fault);
	}
	return 0;
}

/* Puts a row in place of `old` (NULL: none). The one place where rows change. */
int
view_memory_pile_replace(struct state *state, uint16_t number, struct kept *old, const struct cell *cells,
			 struct fault *fault)
{
	struct kept *row = kept_make(state->piles[number]->table, cells);
	if (row == NULL)
		return view_memory_none_left(fault);
	int result = check_unique(state->piles[number], row->cells, old, fault);
	if (result == 0) {
		struct pile *pile = pile_own(state, number);
		if (pile != NULL) {
			if (old != NULL)
				pile_take_out(pile, old);
			pile_put_in(pile, row);
			return 0;
		}
		result = view_memory_none_left(fault);
	}
	kept_drop(row);
	return result;
}

int
view_memory_pile_remove(struct state *state, uint16_t number, struct kept *old, struct fault *fault)
{
	struct pile *pile = pile_own(state, number);
	if (pile == NULL)
		return view_memory_none_left(fault);
	pile_take_out(pile, old);
	return 0;
}

/* ---- states ---- */

void
view_memory_state_drop(struct state *state)
{
	if (state == NULL || atomic_fetch_sub(&state->refs, 1) != 1)
		return;
	for (size_t i = 0; i < state->count; i++)
		view_memory_pile_drop(state->piles[i]);
	free(state);
}

struct state *
view_memory_state_make(size_t count)
{
	struct state *state = calloc(1, sizeof(*state) + count * sizeof(struct pile *));
	if (state == NULL)
		return NULL;
	atomic_init(&state->refs, 1);
	state->count = count;
	return state;
}

struct state *
view_memory_state_copy(const struct state *from)
{
	struct state *state = view_memory_state_make(from->count);
	for (size_t i = 0; state != NULL && i < from->count; i++) {
		state->piles[i] = from->piles[i];
		atomic_fetch_add(&state->piles[i]->refs, 1);
	}
	return state;
}
