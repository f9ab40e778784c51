/* SPDX-License-Identifier: MIT */
/*
 * Read-model tables in memory: the contract as code that can be seen to be right.
 *
 * A row is written once and shared by counting; a table is a pile of rows, sorted by its key and once more by each
 * unique index; a state is one pile a table, the last pile holding the checkpoints. A pile that somebody else can see is
 * copied before it changes, so a batch, a savepoint and a reader's snapshot are each just one more reference to a state,
 * and rollback and undo are forgetting one. Finding is a scan.
 *
 * Fails: INPUT as view/rows.h says; MEMORY. Nothing outlives the process.
 */
#include "view/memory/view_memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "view/rows.h"

struct kept { /* a row; immutable */
	atomic_size_t refs;
	struct cell cells[];
};

struct list {
	const struct column_set *set;
	struct kept **items; /* sorted by `set`, then by the key */
};

struct pile {
	atomic_size_t refs;
	const struct table *table;
	size_t count;
	size_t room;
	size_t list_count;
	struct list lists[]; /* [0] by the key, the others by one unique index each */
};

struct state {
	atomic_size_t refs;
	size_t count;
	struct pile *piles[];
};

/* What a port works on. */
struct window {
	struct state *state; /* NULL outside of a batch or snapshot */
	bool writable;
	struct row_port port;
};

struct memory_view {
	struct view view;
	pthread_mutex_t lock; /* guards `published` */
	struct state *published;
	struct state *saved; /* at the last savepoint */
	struct window window;
};

struct memory_reader {
	struct view_reader reader;
	struct window window;
};

enum { MARK_PROJECTION, MARK_POSITION, MARK_HASH, MARK_STOPPED, MARK_POISON, MARK_REASON, MARK_COLUMNS };

static const struct column mark_columns[MARK_COLUMNS] = {
	{ .name = SLICE("projection"), .type = COLUMN_TEXT }, { .name = SLICE("position"), .type = COLUMN_INTEGER },
	{ .name = SLICE("hash"), .type = COLUMN_TEXT },       { .name = SLICE("stopped"), .type = COLUMN_BOOLEAN },
	{ .name = SLICE("poison"), .type = COLUMN_INTEGER },  { .name = SLICE("reason"), .type = COLUMN_TEXT },
};
static const uint16_t mark_key[] = { MARK_PROJECTION };
static const struct table mark_table = {
	.name = SLICE("moonlog_checkpoints"),
	.columns = mark_columns,
	.column_count = MARK_COLUMNS,
	.key = { mark_key, 1, true },
};

static int
no_memory(struct fault *fault)
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

static void
pile_drop(struct pile *pile)
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

static struct pile *
pile_make(const struct table *table, size_t room)
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
			pile_drop(pile);
			return NULL;
		}
	}
	return pile;
}

/* The pile, seen by nobody else and with room for one more row; NULL when memory ran out. */
static struct pile *
pile_own(struct state *state, uint16_t number)
{
	struct pile *old = state->piles[number];
	if (atomic_load(&old->refs) == 1 && old->count < old->room)
		return old;
	struct pile *pile = pile_make(old->table, old->count + old->count / 2 + 16);
	if (pile == NULL)
		return NULL;
	pile->count = old->count;
	for (size_t i = 0; i < pile->list_count && old->count != 0; i++)
		memcpy(pile->lists[i].items, old->lists[i].items, old->count * sizeof(struct kept *));
	for (size_t i = 0; i < pile->count; i++)
		atomic_fetch_add(&pile->lists[0].items[i]->refs, 1);
	pile_drop(old);
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

static struct kept *
pile_get(const struct pile *pile, const struct cell *cells)
{
	size_t at = list_seek(pile, 0, cells, false);
	if (at < pile->count && rows_compare_by(&pile->table->key, pile->lists[0].items[at]->cells, cells) == 0)
		return pile->lists[0].items[at];
	return NULL;
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
static int
pile_replace(struct state *state, uint16_t number, struct kept *old, const struct cell *cells, struct fault *fault)
{
	struct kept *row = kept_make(state->piles[number]->table, cells);
	if (row == NULL)
		return no_memory(fault);
	int result = check_unique(state->piles[number], row->cells, old, fault);
	if (result == 0) {
		struct pile *pile = pile_own(state, number);
		if (pile != NULL) {
			if (old != NULL)
				pile_take_out(pile, old);
			pile_put_in(pile, row);
			return 0;
		}
		result = no_memory(fault);
	}
	kept_drop(row);
	return result;
}

static int
pile_remove(struct state *state, uint16_t number, struct kept *old, struct fault *fault)
{
	struct pile *pile = pile_own(state, number);
	if (pile == NULL)
		return no_memory(fault);
	pile_take_out(pile, old);
	return 0;
}

/* ---- states ---- */

static void
state_drop(struct state *state)
{
	if (state == NULL || atomic_fetch_sub(&state->refs, 1) != 1)
		return;
	for (size_t i = 0; i < state->count; i++)
		pile_drop(state->piles[i]);
	free(state);
}

static struct state *
state_make(size_t count)
{
	struct state *state = calloc(1, sizeof(*state) + count * sizeof(struct pile *));
	if (state == NULL)
		return NULL;
	atomic_init(&state->refs, 1);
	state->count = count;
	return state;
}

static struct state *
state_copy(const struct state *from)
{
	struct state *state = state_make(from->count);
	for (size_t i = 0; state != NULL && i < from->count; i++) {
		state->piles[i] = from->piles[i];
		atomic_fetch_add(&state->piles[i]->refs, 1);
	}
	return state;
}

/* ---- the port ---- */

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
		return no_memory(fault);
	*row = pile_get(window->state->piles[number], cells);
	free(cells);
	return 0;
}

static int
give_row(const struct table *table, const struct kept *from, struct arena *arena, struct row *row, struct fault *fault)
{
	row->cells = arena_alloc(arena, table->column_count * sizeof(struct cell));
	if (row->cells == NULL)
		return no_memory(fault);
	for (uint16_t i = 0; i < table->column_count; i++) {
		row->cells[i] = from->cells[i];
		if (from->cells[i].kind != CELL_TEXT)
			continue;
		row->cells[i].text = arena_copy(arena, from->cells[i].text);
		if (row->cells[i].text.data == NULL)
			return no_memory(fault);
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
	return kept != NULL ? give_row(table_of(window, number), kept, arena, row, fault) : 0;
}

static int
port_put(void *self, uint16_t number, const struct row *row, struct fault *fault)
{
	struct window *window = self;
	must(window->writable);
	if (rows_check_row(table_of(window, number), row, fault) != 0)
		return -1;
	struct kept *old = pile_get(window->state->piles[number], row->cells);
	return pile_replace(window->state, number, old, row->cells, fault);
}

static int
port_insert(void *self, uint16_t number, const struct row *row, struct fault *fault)
{
	struct window *window = self;
	must(window->writable);
	if (rows_check_row(table_of(window, number), row, fault) != 0)
		return -1;
	return pile_replace(window->state, number, NULL, row->cells, fault);
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
		return no_memory(fault);
	for (uint16_t i = 0; i < table->column_count; i++)
		cells[i] = changes->cells[i].kind != CELL_UNSET ? changes->cells[i] : old->cells[i];
	int result = pile_replace(window->state, number, old, cells, fault);
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
		return no_memory(fault);
	int result = rows_sum(table, key, old != NULL ? old->cells : NULL, amounts, cells, fault);
	if (result == 0)
		result = pile_replace(window->state, number, old, cells, fault);
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
	return old != NULL ? pile_remove(window->state, number, old, fault) : 0;
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
		if (pile_remove(window->state, number, row, fault) != 0)
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
		return no_memory(fault);
	size_t found = 0;
	for (size_t i = 0; i < pile->count; i++)
		if (rows_hold(query->filters, query->filter_count, pile->lists[0].items[i]->cells))
			matches[found++] = pile->lists[0].items[i];
	if (query->order_count != 0)
		qsort_r(matches, found, sizeof(*matches), compare_found, &(struct sorting){ query, &table->key });
	size_t first = query->offset < found ? query->offset : found;
	*count = found - first < query->limit ? found - first : query->limit;
	*rows = arena_alloc(arena, (*count + 1) * sizeof(struct row));
	int result = *rows != NULL ? 0 : no_memory(fault);
	for (size_t i = 0; i < *count && result == 0; i++)
		result = give_row(table, matches[first + i], arena, &(*rows)[i], fault);
	free(matches);
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

static void
window_init(struct window *window, const struct view *view, bool writable)
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
	};
}

/* ---- the writer ---- */

static struct memory_view *
memory_of(struct view *view)
{
	return container_of(view, struct memory_view, view);
}

static void
publish(struct memory_view *memory, struct state *state)
{
	pthread_mutex_lock(&memory->lock);
	struct state *old = memory->published;
	memory->published = state;
	pthread_mutex_unlock(&memory->lock);
	state_drop(old);
}

static int
memory_begin(struct view *view, struct fault *fault)
{
	struct memory_view *memory = memory_of(view);
	must(memory->window.state == NULL);
	memory->window.state = state_copy(memory->published);
	return memory->window.state != NULL ? 0 : no_memory(fault);
}

static void
memory_rollback(struct view *view)
{
	struct memory_view *memory = memory_of(view);
	state_drop(memory->window.state);
	state_drop(memory->saved);
	memory->window.state = memory->saved = NULL;
}

static const struct row_port *
memory_rows(struct view *view)
{
	return &memory_of(view)->window.port;
}

static int
memory_savepoint(struct view *view, struct fault *fault)
{
	struct memory_view *memory = memory_of(view);
	must(memory->window.state != NULL);
	struct state *saved = state_copy(memory->window.state);
	if (saved == NULL)
		return no_memory(fault);
	state_drop(memory->saved);
	memory->saved = saved;
	return 0;
}

static int
memory_undo(struct view *view, struct fault *fault)
{
	struct memory_view *memory = memory_of(view);
	must(memory->saved != NULL);
	struct state *state = state_copy(memory->saved);
	if (state == NULL)
		return no_memory(fault);
	state_drop(memory->window.state);
	memory->window.state = state;
	return 0;
}

static struct cell
integer_cell(uint64_t integer)
{
	return (struct cell){ .kind = CELL_INTEGER, .integer = (int64_t)integer };
}

static struct cell
text_cell(struct slice text)
{
	return (struct cell){ .kind = CELL_TEXT, .text = text };
}

static struct kept *
mark_find(const struct state *state, struct slice projection)
{
	struct cell cells[MARK_COLUMNS] = { [MARK_PROJECTION] = text_cell(projection) };
	return pile_get(state->piles[state->count - 1], cells);
}

static int
mark_write(struct state *state, const struct view_checkpoint *checkpoint, struct fault *fault)
{
	struct cell cells[MARK_COLUMNS] = {
		[MARK_PROJECTION] = text_cell(checkpoint->projection),
		[MARK_POSITION] = integer_cell(checkpoint->position),
		[MARK_HASH] = text_cell(slice_from(checkpoint->hash, sizeof(checkpoint->hash))),
		[MARK_STOPPED] = integer_cell(checkpoint->stopped),
		[MARK_POISON] = integer_cell(checkpoint->poison),
		[MARK_REASON] = text_cell(checkpoint->reason),
	};
	return pile_replace(state, (uint16_t)(state->count - 1), mark_find(state, checkpoint->projection), cells,
			    fault);
}

static int
memory_commit(struct view *view, const struct view_checkpoint *checkpoint, struct fault *fault)
{
	struct memory_view *memory = memory_of(view);
	must(memory->window.state != NULL);
	if (mark_write(memory->window.state, checkpoint, fault) != 0)
		return -1;
	publish(memory, memory->window.state);
	memory->window.state = NULL;
	memory_rollback(view);
	return 0;
}

static int
memory_checkpoint(struct view *view, struct slice projection, struct arena *arena, struct view_checkpoint *checkpoint,
		  bool *found, struct fault *fault)
{
	const struct kept *mark = mark_find(memory_of(view)->published, projection);
	struct row row;
	*found = mark != NULL;
	if (mark == NULL)
		return 0;
	if (give_row(&mark_table, mark, arena, &row, fault) != 0)
		return -1;
	*checkpoint = (struct view_checkpoint){
		.projection = row.cells[MARK_PROJECTION].text,
		.position = (log_position)row.cells[MARK_POSITION].integer,
		.stopped = row.cells[MARK_STOPPED].integer != 0,
		.poison = (log_position)row.cells[MARK_POISON].integer,
		.reason = row.cells[MARK_REASON].text,
	};
	memcpy(checkpoint->hash, row.cells[MARK_HASH].text.data, sizeof(checkpoint->hash));
	return 0;
}

static int
memory_reset(struct view *view, struct slice projection, const struct table *tables, const uint16_t *numbers,
	     size_t count, struct fault *fault)
{
	struct memory_view *memory = memory_of(view);
	must(memory->window.state == NULL);
	struct state *state = state_copy(memory->published);
	if (state == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < count; i++) {
		struct pile *empty = pile_make(&tables[numbers[i]], 0);
		if (empty == NULL)
			goto fail;
		pile_drop(state->piles[numbers[i]]);
		state->piles[numbers[i]] = empty;
	}
	struct kept *mark = mark_find(state, projection);
	if (mark != NULL && pile_remove(state, (uint16_t)(state->count - 1), mark, fault) != 0)
		goto fail;
	publish(memory, state);
	return 0;
fail:
	state_drop(state);
	return no_memory(fault);
}

static int
memory_define(struct view *view, struct slice projection, const uint8_t hash[32], const struct table *tables,
	      const uint16_t *numbers, size_t count, struct fault *fault)
{
	const struct kept *mark = mark_find(memory_of(view)->published, projection);
	if (mark != NULL && memcmp(mark->cells[MARK_HASH].text.data, hash, 32) != 0)
		return memory_reset(view, projection, tables, numbers, count, fault);
	return 0;
}

static void
memory_idle(struct view *view)
{
	(void)view;
}

static void
memory_close(struct view *view)
{
	struct memory_view *memory = memory_of(view);
	memory_rollback(view);
	state_drop(memory->published);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

/* ---- readers ---- */

static struct memory_reader *
reader_of(struct view_reader *reader)
{
	return container_of(reader, struct memory_reader, reader);
}

static int
memory_reader_open(struct view *view, struct view_reader **reader, struct fault *fault)
{
	struct memory_reader *made = calloc(1, sizeof(*made));
	if (made == NULL)
		return no_memory(fault);
	made->reader.view = view;
	window_init(&made->window, view, false);
	*reader = &made->reader;
	return 0;
}

static void
memory_reader_end(struct view_reader *reader)
{
	struct window *window = &reader_of(reader)->window;
	state_drop(window->state);
	window->state = NULL;
}

static void
memory_reader_close(struct view_reader *reader)
{
	memory_reader_end(reader);
	free(reader_of(reader));
}

static int
memory_reader_begin(struct view_reader *reader, struct fault *fault)
{
	struct memory_view *memory = memory_of(reader->view);
	struct window *window = &reader_of(reader)->window;
	(void)fault;
	must(window->state == NULL);
	pthread_mutex_lock(&memory->lock);
	window->state = memory->published;
	atomic_fetch_add(&window->state->refs, 1);
	pthread_mutex_unlock(&memory->lock);
	return 0;
}

static const struct row_port *
memory_reader_rows(struct view_reader *reader)
{
	return &reader_of(reader)->window.port;
}

static const struct view_ops memory_ops = {
	.close = memory_close,
	.define = memory_define,
	.checkpoint = memory_checkpoint,
	.begin = memory_begin,
	.rows = memory_rows,
	.savepoint = memory_savepoint,
	.undo = memory_undo,
	.commit = memory_commit,
	.rollback = memory_rollback,
	.reset = memory_reset,
	.idle = memory_idle,
	.reader_open = memory_reader_open,
	.reader_close = memory_reader_close,
	.reader_begin = memory_reader_begin,
	.reader_rows = memory_reader_rows,
	.reader_end = memory_reader_end,
};

int
view_memory_open(const struct table *tables, size_t table_count, struct view **view, struct fault *fault)
{
	must(table_count < UINT16_MAX);
	struct memory_view *memory = calloc(1, sizeof(*memory));
	struct state *state = state_make(table_count + 1);
	if (memory == NULL || state == NULL)
		goto fail;
	for (size_t i = 0; i < state->count; i++) {
		state->piles[i] = pile_make(i < table_count ? &tables[i] : &mark_table, 0);
		if (state->piles[i] == NULL)
			goto fail;
	}
	pthread_mutex_init(&memory->lock, NULL);
	memory->view = (struct view){ &memory_ops, tables, table_count };
	memory->published = state;
	window_init(&memory->window, &memory->view, true);
	*view = &memory->view;
	return 0;
fail:
	if (state != NULL) {
		for (size_t i = 0; i < state->count; i++)
			pile_drop(state->piles[i]);
		free(state);
	}
	free(memory);
	return no_memory(fault);
}
