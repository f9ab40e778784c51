/* SPDX-License-Identifier: MIT */
/*
 * The log goes by once; each event goes to each projection in two machines, each over rows of its own. What the
 * handlers ask of the rows - reads, writes, with all values - is hashed on the way: the first event whose hashes differ
 * is the finding, and ends that projection's part. The second machine goes through each page once before, and its rows
 * are rolled back: so what handlers keep in a module shows.
 * Fails: as the store and the views do.
 */
#include <stdio.h>

#include "core/determinism.h"

#define PAGE_ENTRIES 1000
#define PAGE_BYTES   ((size_t)4 << 20)

/* One machine's side: the port that its handlers see, over the port of its view. */
struct side {
	struct script_machine *machine;
	struct view *view;
	struct row_port port;
	const struct row_port *rows;
	uint64_t hash; /* of what was asked for since the last event */
};

struct both {
	struct determinism *check;
	struct side sides[2];
	bool ended[256]; /* projections with a finding */
};

/* ---- a port that listens ---- */

static void
hear(struct side *side, struct slice bytes)
{
	side->hash = slice_hash(bytes, side->hash);
}

static void
hear_number(struct side *side, uint64_t number)
{
	hear(side, slice_from(&number, sizeof(number)));
}

static void
hear_cell(struct side *side, const struct cell *cell)
{
	hear_number(side, (uint64_t)cell->kind);
	if (cell->kind == CELL_INTEGER)
		hear_number(side, (uint64_t)cell->integer);
	else if (cell->kind == CELL_REAL)
		hear(side, slice_from(&cell->real, sizeof(cell->real)));
	else if (cell->kind == CELL_TEXT)
		hear(side, cell->text);
}

static void
hear_row(struct side *side, uint16_t table, const struct row *row)
{
	for (uint16_t i = 0; i < side->rows->tables[table].column_count; i++)
		hear_cell(side, &row->cells[i]);
}

static void
hear_call(struct side *side, char call, uint16_t table, const struct cell *key)
{
	hear_number(side, (uint64_t)call << 16 | table);
	for (uint16_t i = 0; key != NULL && i < side->rows->tables[table].key.count; i++)
		hear_cell(side, &key[i]);
}

static void
hear_filters(struct side *side, const struct filter *filters, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		hear_number(side, (uint64_t)filters[i].column << 8 | (uint64_t)filters[i].op);
		hear_cell(side, &filters[i].value);
	}
}

static void
hear_query(struct side *side, char call, const struct row_query *query)
{
	hear_call(side, call, query->table, NULL);
	hear_filters(side, query->filters, query->filter_count);
	for (size_t i = 0; i < query->order_count; i++)
		hear_number(side, (uint64_t)query->orders[i].column << 1 | query->orders[i].descending);
	hear_number(side, (uint64_t)query->limit << 32 | query->offset);
}

static int
port_get(void *self, uint16_t table, const struct cell *key, struct arena *arena, struct row *row, bool *found,
	 struct fault *fault)
{
	struct side *side = self;

	hear_call(side, 'g', table, key);
	return side->rows->get(side->rows->self, table, key, arena, row, found, fault);
}

static int
port_put(void *self, uint16_t table, const struct row *row, struct fault *fault)
{
	struct side *side = self;

	hear_call(side, 'p', table, NULL);
	hear_row(side, table, row);
	return side->rows->put(side->rows->self, table, row, fault);
}

static int
port_insert(void *self, uint16_t table, const struct row *row, struct fault *fault)
{
	struct side *side = self;

	hear_call(side, 'i', table, NULL);
	hear_row(side, table, row);
	return side->rows->insert(side->rows->self, table, row, fault);
}

static int
port_update(void *self, uint16_t table, const struct cell *key, const struct row *changes, bool *found,
	    struct fault *fault)
{
	struct side *side = self;

	hear_call(side, 'u', table, key);
	hear_row(side, table, changes);
	return side->rows->update(side->rows->self, table, key, changes, found, fault);
}

static int
port_add(void *self, uint16_t table, const struct cell *key, const struct row *amounts, struct fault *fault)
{
	struct side *side = self;

	hear_call(side, 'a', table, key);
	hear_row(side, table, amounts);
	return side->rows->add(side->rows->self, table, key, amounts, fault);
}

static int
port_remove(void *self, uint16_t table, const struct cell *key, bool *found, struct fault *fault)
{
	struct side *side = self;

	hear_call(side, 'r', table, key);
	return side->rows->remove(side->rows->self, table, key, found, fault);
}

static int
port_remove_where(void *self, uint16_t table, const struct filter *filters, size_t count, uint64_t *removed,
		  struct fault *fault)
{
	struct side *side = self;

	hear_call(side, 'w', table, NULL);
	hear_filters(side, filters, count);
	return side->rows->remove_where(side->rows->self, table, filters, count, removed, fault);
}

static int
port_find(void *self, const struct row_query *query, struct arena *arena, struct row **rows, size_t *count,
	  struct fault *fault)
{
	struct side *side = self;

	hear_query(side, 'f', query);
	return side->rows->find(side->rows->self, query, arena, rows, count, fault);
}

static int
port_count(void *self, const struct row_query *query, uint64_t *count, struct fault *fault)
{
	struct side *side = self;

	hear_query(side, 'c', query);
	return side->rows->count(side->rows->self, query, count, fault);
}

static void
listen(struct side *side)
{
	side->rows = view_rows(side->view);
	side->port = (struct row_port){ .tables = side->rows->tables,
					.table_count = side->rows->table_count,
					.writable = true,
					.self = side,
					.get = port_get,
					.put = port_put,
					.insert = port_insert,
					.update = port_update,
					.add = port_add,
					.remove = port_remove,
					.remove_where = port_remove_where,
					.find = port_find,
					.count = port_count };
}

/* ---- events ---- */

static void
tell(struct both *both, uint16_t projection, const struct recorded_entry *entry, enum determinism_what what,
     const char *text)
{
	struct determinism *check = both->check;
	struct determinism_finding finding = { .projection = check->program->projections[projection].name,
					       .stream = entry->stream,
					       .version = entry->version,
					       .position = entry->position,
					       .type = entry->type };

	finding.what = what;
	snprintf(finding.text, sizeof(finding.text), "%s", text);
	both->ended[projection] = true;
	check->findings++;
	if (check->found != NULL)
		check->found(check->self, &finding);
}

static bool
is_rules(const struct fault *fault)
{
	return fault->class == FAULT_SCRIPT || fault->class == FAULT_LIMIT || fault->class == FAULT_INPUT;
}

static int
project_entry(struct both *both, uint16_t projection, const struct recorded_entry *entry, struct fault *fault)
{
	char text[500];
	int results[2];
	size_t done;

	for (int i = 0; i < 2; i++) {
		struct side *side = &both->sides[i];

		side->hash = 1;
		results[i] = script_project(side->machine, projection, &side->port, entry, 1, &done, fault);
		if (results[i] != 0 && !is_rules(fault))
			return -1;
	}
	if (both->sides[0].hash != both->sides[1].hash || results[0] != results[1]) {
		tell(both, projection, entry, DIFFERS_ROWS, "what the handler writes differs from machine to machine");
	} else if (results[0] != 0) {
		snprintf(text, sizeof(text), "the rules fail: %.450s", fault->text);
		tell(both, projection, entry, RULES_FAIL, text);
	}
	return 0;
}

/* Rules that fail tell so when it counts. */
static int
rehearse(struct side *side, uint16_t projection, const struct entries *entries, struct fault *fault)
{
	int result = view_begin(side->view, fault);
	size_t done;

	if (result != 0)
		return -1;
	listen(side);
	for (size_t i = 0; i < entries->count && result == 0; i++)
		if (entries->items[i].kind == ENTRY_EVENT)
			result = script_project(side->machine, projection, &side->port, &entries->items[i], 1, &done,
						fault);
	view_rollback(side->view);
	return result == 0 || is_rules(fault) ? 0 : -1;
}

static int
project_page(struct both *both, uint16_t projection, const struct entries *entries, log_position seen,
	     struct fault *fault)
{
	struct view_checkpoint checkpoint = { .projection = both->check->program->projections[projection].name,
					      .position = seen };
	int result = rehearse(&both->sides[1], projection, entries, fault);

	for (int i = 0; i < 2 && result == 0; i++) {
		result = view_begin(both->sides[i].view, fault);
		if (result == 0)
			listen(&both->sides[i]);
	}
	for (size_t i = 0; i < entries->count && result == 0 && !both->ended[projection]; i++)
		if (entries->items[i].kind == ENTRY_EVENT)
			result = project_entry(both, projection, &entries->items[i], fault);
	for (int i = 0; i < 2 && result == 0; i++)
		result = view_commit(both->sides[i].view, &checkpoint, fault);
	for (int i = 0; i < 2 && result != 0; i++)
		view_rollback(both->sides[i].view);
	return result;
}

static int
project_log(struct both *both, void (*tick)(void *self), void *self, struct fault *fault)
{
	struct determinism *check = both->check;
	const struct log_filter filter = { .domain = check->program->domain };
	log_position at = 0, head = store_head(check->store);
	struct store_reader *reader;
	struct arena arena;
	int result = store_reader_open(check->store, &reader, fault);

	if (result != 0)
		return -1;
	arena_init(&arena, SIZE_MAX);
	while (result == 0 && at < head) {
		struct entries entries;

		arena_clear(&arena);
		result = store_read_log(reader, at, &filter, (struct read_limit){ PAGE_ENTRIES, PAGE_BYTES }, &arena,
					&entries, &at, fault);
		for (uint16_t i = 0; result == 0 && i < check->program->projection_count; i++)
			if (!both->ended[i])
				result = project_page(both, i, &entries, at, fault);
		check->projected += result == 0 ? entries.count : 0;
		tick(self);
	}
	arena_fini(&arena);
	store_reader_close(reader);
	return result;
}

static int
open_sides(struct both *both, struct fault *fault)
{
	const struct script_program *program = both->check->program;
	struct script_machine *machines[2];

	if (determinism_open_two(program, both->check->options, machines, fault) != 0)
		return -1;
	for (int i = 0; i < 2; i++)
		both->sides[i].machine = machines[i];
	for (int i = 0; i < 2; i++) {
		if (both->check->open_view(program->tables, program->table_count, &both->sides[i].view, fault) != 0)
			return -1;
		for (size_t p = 0; p < program->projection_count; p++) {
			const struct script_projection *projection = &program->projections[p];

			if (view_define(both->sides[i].view, projection->name, projection->hash.bytes,
					projection->tables, projection->table_count, fault) != 0)
				return -1;
		}
	}
	return 0;
}

int
determinism_rows(struct determinism *check, void (*tick)(void *self), void *self, struct fault *fault)
{
	struct both both = { .check = check };
	int result;

	if (check->open_view == NULL || check->program->projection_count == 0)
		return 0;
	if (check->program->projection_count > countof(both.ended))
		return fault_set(fault, FAULT_LIMIT, "too_many_projections", "more than %zu projections",
				 countof(both.ended));
	result = open_sides(&both, fault);
	if (result == 0)
		result = project_log(&both, tick, self, fault);
	for (int i = 0; i < 2; i++) {
		view_close(both.sides[i].view);
		script_close(both.sides[i].machine);
	}
	return result;
}
