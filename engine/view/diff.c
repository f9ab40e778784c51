/* SPDX-License-Identifier: MIT */
/*
 * A merge of two tables in key order. Each side keeps one page of rows and asks for the next after its last key, in
 * turns between two arenas, because the key that the next page begins after lies in the page before.
 */
#include "view/diff.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "view/rows.h"

#define SAMPLE_MAX ((size_t)1 << 20)

/* ---- one side ---- */

struct side {
	const struct row_port *rows;
	const struct table *table;
	uint16_t number;
	struct arena pages[2];
	unsigned turn;
	struct row *items;
	size_t count;
	size_t at;
	bool ended; /* the page is the last one */
	uint64_t seen;
	struct cell *key; /* of the last row of the page */
};

static int
turn_page(struct side *side, struct fault *fault)
{
	const struct cell *after = NULL;
	if (side->count != 0) {
		rows_key_of(side->table, side->items[side->count - 1].cells, side->key);
		after = side->key;
	}
	side->turn = 1 - side->turn;
	arena_clear(&side->pages[side->turn]);
	side->at = 0;
	if (side->rows->scan(side->rows->self, side->number, after, ROW_LIMIT_MAX, &side->pages[side->turn],
			     &side->items, &side->count, fault) != 0)
		return -1;
	side->ended = side->count < ROW_LIMIT_MAX;
	return 0;
}

/* The present row's cells; NULL at the end. */
static int
side_row(struct side *side, const struct cell **cells, struct fault *fault)
{
	if (side->at == side->count && !side->ended && turn_page(side, fault) != 0)
		return -1;
	*cells = side->at < side->count ? side->items[side->at].cells : NULL;
	return 0;
}

static void
side_step(struct side *side)
{
	side->at++;
	side->seen++;
}

static int
side_open(struct side *side, const struct row_port *rows, uint16_t number, struct fault *fault)
{
	*side = (struct side){ .rows = rows, .table = &rows->tables[number], .number = number };
	arena_init(&side->pages[0], SIZE_MAX);
	arena_init(&side->pages[1], SIZE_MAX);
	side->key = calloc(side->table->key.count, sizeof(*side->key));
	return side->key != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory to compare tables");
}

static void
side_close(struct side *side)
{
	if (side->rows == NULL)
		return;
	free(side->key);
	arena_fini(&side->pages[0]);
	arena_fini(&side->pages[1]);
}

/* ---- rows as JSON ---- */

static int
write_row(const struct table *table, const struct cell *cells, bool key_only, struct arena *arena, struct slice *json,
	  struct fault *fault)
{
	struct buf out;
	buf_init(&out, SAMPLE_MAX);
	rows_write(table, cells, key_only, &out);
	*json = out.failed ? SLICE_NONE : arena_copy(arena, buf_slice(&out));
	buf_fini(&out);
	return json->data != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory for a sample");
}

/* ---- one table ---- */

struct comparing {
	struct side sides[2];
	const struct view_diff_options *options;
	struct arena *arena;
	struct view_diff_table *result;
};

static int
note(struct comparing *comparing, enum view_diff_kind kind, const struct cell *before, const struct cell *after,
     struct fault *fault)
{
	struct view_diff_table *result = comparing->result;
	const struct table *table = comparing->sides[0].table;
	uint64_t *counts[] = {
		[DIFF_GONE] = &result->gone, [DIFF_NEW] = &result->fresh, [DIFF_CHANGED] = &result->changed
	};
	++*counts[kind];
	if (result->sample_count == comparing->options->samples)
		return 0;
	struct view_diff_sample *sample = &result->samples[result->sample_count++];
	sample->kind = kind;
	if (write_row(table, before != NULL ? before : after, true, comparing->arena, &sample->key, fault) != 0)
		return -1;
	if (before != NULL && write_row(table, before, false, comparing->arena, &sample->before, fault) != 0)
		return -1;
	if (after != NULL && write_row(table, after, false, comparing->arena, &sample->after, fault) != 0)
		return -1;
	return 0;
}

static bool
same_cells(const struct table *table, const struct cell *a, const struct cell *b)
{
	for (uint16_t i = 0; i < table->column_count; i++)
		if (rows_compare(&a[i], &b[i]) != 0)
			return false;
	return true;
}

/* One row of the side that is behind, or one of each. *more false at the end of both. */
static int
step(struct comparing *comparing, bool *more, struct fault *fault)
{
	struct side *before = &comparing->sides[0], *after = &comparing->sides[1];
	const struct table *table = before->table;
	const struct cell *old, *new;
	if (side_row(before, &old, fault) != 0 || side_row(after, &new, fault) != 0)
		return -1;
	*more = old != NULL || new != NULL;
	if (!*more)
		return 0;
	int order = old == NULL ? 1 : new == NULL ? -1 : rows_compare_by(&table->key, old, new);
	int result = 0;
	if (order < 0)
		result = note(comparing, DIFF_GONE, old, NULL, fault);
	else if (order > 0)
		result = note(comparing, DIFF_NEW, NULL, new, fault);
	else if (!same_cells(table, old, new))
		result = note(comparing, DIFF_CHANGED, old, new, fault);
	if (order <= 0)
		side_step(before);
	if (order >= 0)
		side_step(after);
	return result;
}

static int
compare_rows(struct comparing *comparing, struct fault *fault)
{
	const _Atomic bool *stop = comparing->options->stop;
	bool more = true;
	for (uint64_t turn = 0; more; turn++) {
		if (turn % ROW_LIMIT_MAX == 0 && stop != NULL && atomic_load(stop))
			return fault_set(fault, FAULT_TIMEOUT, "diff_stopped", "the comparison was broken off");
		if (step(comparing, &more, fault) != 0)
			return -1;
	}
	comparing->result->rows_before = comparing->sides[0].seen;
	comparing->result->rows_after = comparing->sides[1].seen;
	return 0;
}

static int
find_table(const struct row_port *rows, struct slice name)
{
	for (uint16_t i = 0; i < rows->table_count; i++)
		if (slice_equal(rows->tables[i].name, name))
			return i;
	return -1;
}

static int
count_rows(const struct row_port *rows, int number, uint64_t *count, struct fault *fault)
{
	struct row_query all = { .table = (uint16_t)number };
	*count = 0;
	return number < 0 ? 0 : rows->count(rows->self, &all, count, fault);
}

static int
compare_table(const struct row_port *const rows[2], struct slice name, const struct view_diff_options *options,
	      struct arena *arena, struct view_diff_table *result, struct fault *fault)
{
	int before = find_table(rows[0], name), after = find_table(rows[1], name);
	*result = (struct view_diff_table){ .name = name, .in_before = before >= 0, .in_after = after >= 0 };
	result->compared =
		before >= 0 && after >= 0 && rows_same_shape(&rows[0]->tables[before], &rows[1]->tables[after]);
	if (!result->compared)
		return count_rows(rows[0], before, &result->rows_before, fault) != 0
			       ? -1
			       : count_rows(rows[1], after, &result->rows_after, fault);
	struct comparing comparing = { .options = options, .arena = arena, .result = result };
	int made = -1;
	result->samples = arena_zero(arena, options->samples + 1, sizeof(*result->samples));
	if (result->samples == NULL)
		fault_set(fault, FAULT_MEMORY, "memory", "no memory to compare tables");
	else if (side_open(&comparing.sides[0], rows[0], (uint16_t)before, fault) == 0 &&
		 side_open(&comparing.sides[1], rows[1], (uint16_t)after, fault) == 0)
		made = compare_rows(&comparing, fault);
	side_close(&comparing.sides[0]);
	side_close(&comparing.sides[1]);
	return made;
}

static bool
is_wanted(const struct view_diff_options *options, struct slice name)
{
	for (size_t i = 0; options->names != NULL && i < options->name_count; i++)
		if (slice_equal(options->names[i], name))
			return true;
	return options->names == NULL;
}

int
view_diff(const struct row_port *before, const struct row_port *after, const struct view_diff_options *options,
	  struct arena *arena, struct view_diff *diff, struct fault *fault)
{
	const struct row_port *const rows[2] = { before, after };
	size_t most = (size_t)before->table_count + after->table_count;
	*diff = (struct view_diff){ .tables = arena_zero(arena, most + 1, sizeof(*diff->tables)) };
	if (diff->tables == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to compare tables");
	for (size_t i = 0; i < most; i++) {
		bool first = i < before->table_count;
		struct slice name = first ? before->tables[i].name : after->tables[i - before->table_count].name;
		if (!is_wanted(options, name) || (!first && find_table(before, name) >= 0))
			continue;
		struct view_diff_table *table = &diff->tables[diff->table_count++];
		if (compare_table(rows, name, options, arena, table, fault) != 0)
			return -1;
		diff->differing += table->compared ? table->gone + table->fresh + table->changed
						   : table->rows_before + table->rows_after;
	}
	return 0;
}

/* ---- for people ---- */

static void
write_side(struct buf *out, const char *key, struct slice row)
{
	if (row.size == 0)
		return;
	json_key(out, key);
	buf_add(out, row);
}

static void
write_table(const struct view_diff_table *table, struct buf *out)
{
	static const char *const kinds[] = { [DIFF_GONE] = "gone", [DIFF_NEW] = "new", [DIFF_CHANGED] = "changed" };
	json_comma(out);
	buf_text(out, "{\"table\":");
	json_quote(out, table->name);
	json_key(out, "compared");
	buf_text(out, table->compared ? "true" : "false");
	json_put_u64(out, "rows_before", table->rows_before);
	json_put_u64(out, "rows_after", table->rows_after);
	json_put_u64(out, "gone", table->gone);
	json_put_u64(out, "new", table->fresh);
	json_put_u64(out, "changed", table->changed);
	json_key(out, "samples");
	buf_byte(out, '[');
	for (size_t i = 0; i < table->sample_count; i++) {
		const struct view_diff_sample *sample = &table->samples[i];
		json_comma(out);
		buf_format(out, "{\"kind\":\"%s\"", kinds[sample->kind]);
		write_side(out, "key", sample->key);
		write_side(out, "before", sample->before);
		write_side(out, "after", sample->after);
		buf_byte(out, '}');
	}
	buf_text(out, "]}");
}

void
view_diff_write(const struct view_diff *diff, struct buf *out)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < diff->table_count; i++)
		write_table(&diff->tables[i], out);
	buf_byte(out, ']');
}
