/* SPDX-License-Identifier: MIT */
/*
 * Read-model tables in memory: the contract as code that can be seen to be right.
 *
 * A row is written once and shared by counting; a table is a pile of rows, sorted by its key and once more by each
 * unique index; a state is one pile a table, the last pile holding the checkpoints. A pile that somebody else can
 * see is copied before it changes, so a batch, a savepoint and a reader's snapshot are each just one more reference
 * to a state, and rollback and undo are forgetting one. Finding is a scan.
 *
 * Fails: INPUT as view/rows.h says; MEMORY. Nothing outlives the process.
 */
#include "view/memory/view_memory.h"

#include <pthread.h>
#include <stdlib.h>

#include "view/memory/piles.h"
#include "view/rows.h"

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

enum { MARK_PROJECTION, MARK_POSITION, MARK_HASH, MARK_STOPPED, MARK_POISON, MARK_REASON, MARK_LINK, MARK_COLUMNS };

static const struct column mark_columns[MARK_COLUMNS] = {
	{ .name = SLICE("projection"), .type = COLUMN_TEXT }, { .name = SLICE("position"), .type = COLUMN_INTEGER },
	{ .name = SLICE("hash"), .type = COLUMN_TEXT },       { .name = SLICE("stopped"), .type = COLUMN_BOOLEAN },
	{ .name = SLICE("poison"), .type = COLUMN_INTEGER },  { .name = SLICE("reason"), .type = COLUMN_TEXT },
	{ .name = SLICE("link"), .type = COLUMN_TEXT },
};
static const uint16_t mark_key[] = { MARK_PROJECTION };
static const struct table mark_table = {
	.name = SLICE("moonlog_checkpoints"),
	.columns = mark_columns,
	.column_count = MARK_COLUMNS,
	.key = { mark_key, 1, true },
};

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
	view_memory_state_drop(old);
}

static int
memory_begin(struct view *view, struct fault *fault)
{
	struct memory_view *memory = memory_of(view);
	must(memory->window.state == NULL);
	memory->window.state = view_memory_state_copy(memory->published);
	return memory->window.state != NULL ? 0 : view_memory_none_left(fault);
}

static void
memory_rollback(struct view *view)
{
	struct memory_view *memory = memory_of(view);
	view_memory_state_drop(memory->window.state);
	view_memory_state_drop(memory->saved);
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
	struct state *saved = view_memory_state_copy(memory->window.state);
	if (saved == NULL)
		return view_memory_none_left(fault);
	view_memory_state_drop(memory->saved);
	memory->saved = saved;
	return 0;
}

static int
memory_undo(struct view *view, struct fault *fault)
{
	struct memory_view *memory = memory_of(view);
	must(memory->saved != NULL);
	struct state *state = view_memory_state_copy(memory->saved);
	if (state == NULL)
		return view_memory_none_left(fault);
	view_memory_state_drop(memory->window.state);
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
	return view_memory_pile_get(state->piles[state->count - 1], cells);
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
		[MARK_LINK] =
			text_cell(checkpoint->linked ? slice_from(checkpoint->link.bytes, CHECK_SIZE) : SLICE_NONE),
	};
	return view_memory_pile_replace(state, (uint16_t)(state->count - 1), mark_find(state, checkpoint->projection),
					cells, fault);
}

static int
memory_mark(struct view *view, const struct view_checkpoint *checkpoint, struct fault *fault)
{
	must(memory_of(view)->window.state != NULL);
	return mark_write(memory_of(view)->window.state, checkpoint, fault);
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
	if (view_memory_give(&mark_table, mark, arena, &row, fault) != 0)
		return -1;
	*checkpoint = (struct view_checkpoint){
		.projection = row.cells[MARK_PROJECTION].text,
		.position = (log_position)row.cells[MARK_POSITION].integer,
		.stopped = row.cells[MARK_STOPPED].integer != 0,
		.poison = (log_position)row.cells[MARK_POISON].integer,
		.reason = row.cells[MARK_REASON].text,
	};
	memcpy(checkpoint->hash, row.cells[MARK_HASH].text.data, sizeof(checkpoint->hash));
	checkpoint->linked = row.cells[MARK_LINK].text.size == CHECK_SIZE;
	if (checkpoint->linked)
		memcpy(checkpoint->link.bytes, row.cells[MARK_LINK].text.data, CHECK_SIZE);
	return 0;
}

/* The projection's checkpoint, else one that it keeps beside it; NULL: none is left. */
static struct kept *
mark_of(const struct state *state, struct slice projection)
{
	const struct pile *marks = state->piles[state->count - 1];
	struct kept *mark = mark_find(state, projection);

	for (size_t i = 0; mark == NULL && i < marks->count; i++) {
		struct slice name = marks->lists[0].items[i]->cells[MARK_PROJECTION].text;

		if (slice_starts_with(name, projection) && name.size > projection.size &&
		    name.data[projection.size] == '@')
			mark = marks->lists[0].items[i];
	}
	return mark;
}

static int
memory_reset(struct view *view, struct slice projection, const struct table *tables, const uint16_t *numbers,
	     size_t count, struct fault *fault)
{
	struct memory_view *memory = memory_of(view);
	must(memory->window.state == NULL);
	struct state *state = view_memory_state_copy(memory->published);
	if (state == NULL)
		return view_memory_none_left(fault);
	for (size_t i = 0; i < count; i++) {
		struct pile *empty = view_memory_pile_make(&tables[numbers[i]], 0);
		if (empty == NULL)
			goto fail;
		view_memory_pile_drop(state->piles[numbers[i]]);
		state->piles[numbers[i]] = empty;
	}
	for (struct kept *mark; (mark = mark_of(state, projection)) != NULL;)
		if (view_memory_pile_remove(state, (uint16_t)(state->count - 1), mark, fault) != 0)
			goto fail;
	publish(memory, state);
	return 0;
fail:
	view_memory_state_drop(state);
	return view_memory_none_left(fault);
}

static int
memory_define(struct view *view, struct slice projection, const uint8_t hash[32], const struct table *tables,
	      const uint16_t *numbers, size_t count, struct fault *fault)
{
	const struct state *state = memory_of(view)->published;
	const struct kept *mark = mark_find(state, projection);
	bool same = mark != NULL && memcmp(mark->cells[MARK_HASH].text.data, hash, 32) == 0;
	/* Without a checkpoint rows are another projection's that had this table before. */
	bool empty = true, fresh = false;
	for (size_t i = 0; i < count; i++) {
		empty = empty && state->piles[numbers[i]]->count == 0;
		fresh = fresh || state->piles[numbers[i]]->fresh;
	}
	if ((same && !fresh) || (mark == NULL && empty && !fresh))
		return 0;
	return memory_reset(view, projection, tables, numbers, count, fault);
}

static void
memory_idle(struct view *view)
{
	(void)view;
}

static struct state *
hold(struct memory_view *memory)
{
	pthread_mutex_lock(&memory->lock);
	struct state *state = memory->published;
	atomic_fetch_add(&state->refs, 1);
	pthread_mutex_unlock(&memory->lock);
	return state;
}

/* The pile of a table as the state has it; an empty one when it has another of that name, or none. */
static struct pile *
carry_over(const struct state *state, const struct table *table)
{
	for (size_t i = 0; i + 1 < state->count; i++)
		if (rows_same_table(state->piles[i]->table, table))
			return view_memory_pile_share(state->piles[i], table);
	struct pile *pile = view_memory_pile_make(table, 0);
	if (pile != NULL)
		pile->fresh = true;
	return pile;
}

static int
memory_copy(struct view *view, const struct view_copy *how, struct view **copy, struct fault *fault)
{
	if (view_memory_open(how->tables, how->table_count, copy, fault) != 0)
		return -1;
	struct state *from = hold(memory_of(view)), *state = memory_of(*copy)->published;
	size_t i = 0;
	for (; i < how->table_count; i++) {
		struct pile *pile = carry_over(from, &how->tables[i]);
		if (pile == NULL)
			break;
		view_memory_pile_drop(state->piles[i]);
		state->piles[i] = pile;
	}
	view_memory_pile_drop(state->piles[state->count - 1]);
	state->piles[state->count - 1] = from->piles[from->count - 1];
	atomic_fetch_add(&from->piles[from->count - 1]->refs, 1);
	view_memory_state_drop(from);
	if (i == how->table_count)
		return 0;
	view_close(*copy);
	return view_memory_none_left(fault);
}

static void
memory_close(struct view *view)
{
	struct memory_view *memory = memory_of(view);
	memory_rollback(view);
	view_memory_state_drop(memory->published);
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
		return view_memory_none_left(fault);
	made->reader.view = view;
	view_memory_window_init(&made->window, view, false);
	*reader = &made->reader;
	return 0;
}

static void
memory_reader_end(struct view_reader *reader)
{
	struct window *window = &reader_of(reader)->window;
	view_memory_state_drop(window->state);
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
	window->state = hold(memory);
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
	.mark = memory_mark,
	.commit = memory_commit,
	.rollback = memory_rollback,
	.reset = memory_reset,
	.idle = memory_idle,
	.copy = memory_copy,
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
	struct state *state = view_memory_state_make(table_count + 1);
	if (memory == NULL || state == NULL)
		goto fail;
	for (size_t i = 0; i < state->count; i++) {
		state->piles[i] = view_memory_pile_make(i < table_count ? &tables[i] : &mark_table, 0);
		if (state->piles[i] == NULL)
			goto fail;
	}
	pthread_mutex_init(&memory->lock, NULL);
	memory->view = (struct view){ &memory_ops, tables, table_count };
	memory->published = state;
	view_memory_window_init(&memory->window, &memory->view, true);
	*view = &memory->view;
	return 0;
fail:
	if (state != NULL) {
		for (size_t i = 0; i < state->count; i++)
			view_memory_pile_drop(state->piles[i]);
		free(state);
	}
	free(memory);
	return view_memory_none_left(fault);
}
