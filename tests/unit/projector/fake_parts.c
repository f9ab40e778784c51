/* SPDX-License-Identifier: MIT */
/* See fake_parts.h. The log may grow in one thread while another reads it. */
#include "fake_parts.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the log ---- */

#define LOG_MAX 20000

static struct recorded_entry log_entries[LOG_MAX];
static char names[64][64];
static unsigned name_count;
unsigned fake_away;
_Atomic unsigned fake_reads;

static struct slice
keep_name(const char *name)
{
	for (unsigned i = 0; i < name_count; i++)
		if (strcmp(names[i], name) == 0)
			return slice_text(names[i]);
	must(name_count < countof(names));
	snprintf(names[name_count], sizeof(names[0]), "%s", name);
	return slice_text(names[name_count++]);
}

static int
reader_open(struct store *store, struct store_reader **reader, struct fault *fault)
{
	(void)fault;
	*reader = calloc(1, sizeof(**reader));
	(*reader)->store = store;
	return 0;
}

static void
reader_close(struct store_reader *reader)
{
	free(reader);
}

static int
read_log(struct store_reader *reader, log_position after, const struct log_filter *filter, struct read_limit limit,
	 struct arena *arena, struct entries *entries, log_position *seen, struct fault *fault)
{
	log_position head = store_head(reader->store);
	fake_reads++;
	if (fake_away != 0 && fake_away-- != 0)
		return fault_set(fault, FAULT_AWAY, "store_io", "the log is away");
	entries->items = arena_alloc(arena, (limit.entries + 1) * sizeof(struct recorded_entry));
	entries->count = 0;
	for (*seen = after; *seen < head && entries->count < limit.entries;) {
		const struct recorded_entry *entry = &log_entries[(*seen)++];
		struct stream_name name;
		must(stream_parse(entry->stream, &name, fault) == 0);
		if (filter->domain.size == 0 || slice_equal(filter->domain, name.domain))
			entries->items[entries->count++] = *entry;
	}
	return 0;
}

static const struct store_ops store_ops = { .reader_open = reader_open,
					    .reader_close = reader_close,
					    .read_log = read_log };
static struct store store = { .ops = &store_ops, .kind = "fake" };

struct store *
fake_store(void)
{
	return &store;
}

void
fake_clear(void)
{
	atomic_store(&store.head, 0);
	fake_away = fake_slow = 0;
	fake_reads = 0;
	fake_bad = true;
	fake_largest = 0;
}

log_position
fake_append(const char *stream, const char *type, unsigned count)
{
	log_position first = atomic_load(&store.head) + 1;
	struct slice name = keep_name(stream), kind = keep_name(type);
	must(first + count - 1 <= LOG_MAX);
	for (unsigned i = 0; i < count; i++) {
		struct recorded_entry *entry = &log_entries[first - 1 + i];
		const struct check none = { { 0 } };

		*entry = (struct recorded_entry){ .position = first + i,
						  .commit_first = first,
						  .commit_size = count,
						  .kind = ENTRY_EVENT,
						  .stream = name,
						  .type = kind,
						  .recorded_at_us = 1000000 + (int64_t)(first + i) };
		memcpy(entry->digest.bytes, name.data, name.size < CHECK_SIZE ? name.size : CHECK_SIZE);
		entry_link(first + i > 1 ? &entry[-1].link : &none, &entry->digest, entry->position, 0, first, count,
			   entry->recorded_at_us, &entry->link);
	}
	atomic_store(&store.head, first + count - 1);
	return first + count - 1;
}

/* ---- the script ---- */

static const struct column sums_columns[] = {
	{ .name = SLICE("Account"), .type = COLUMN_TEXT },
	{ .name = SLICE("Total"), .type = COLUMN_MONEY },
	{ .name = SLICE("Count"), .type = COLUMN_INTEGER },
};
static const struct column moves_columns[] = {
	{ .name = SLICE("Position"), .type = COLUMN_INTEGER },
	{ .name = SLICE("Account"), .type = COLUMN_TEXT },
};
static const uint16_t first_column[] = { 0 }, table_numbers[] = { 0, 1 };
static const struct table tables[] = {
	{ SLICE("Sums"), sums_columns, 3, { first_column, 1, true }, NULL, 0, 0 },
	{ SLICE("Moves"), moves_columns, 2, { first_column, 1, true }, NULL, 0, 0 },
};
static struct script_projection projections[] = {
	{ .name = SLICE("sums"), .tables = &table_numbers[0], .table_count = 1, .hash = { { 1 } } },
	{ .name = SLICE("moves"), .tables = &table_numbers[1], .table_count = 1, .hash = { { 2 } } },
};
bool fake_bad;
unsigned fake_slow;
_Atomic size_t fake_largest;

static int
sum(const struct row_port *rows, const struct recorded_entry *entry, struct fault *fault)
{
	struct cell key = { .kind = CELL_TEXT, .text = entry->stream };
	struct cell cells[] = { { .kind = CELL_UNSET },
				{ .kind = CELL_INTEGER, .integer = 1 + (int64_t)(entry->position % 7) },
				{ .kind = CELL_INTEGER, .integer = 1 } };
	return rows->add(rows->self, 0, &key, &(struct row){ cells }, fault);
}

static int
move(const struct row_port *rows, const struct recorded_entry *entry, log_position position, struct fault *fault)
{
	struct cell cells[] = { { .kind = CELL_INTEGER, .integer = (int64_t)position },
				{ .kind = CELL_TEXT, .text = entry->stream } };
	return rows->insert(rows->self, 1, &(struct row){ cells }, fault);
}

static int
handle(uint16_t projection, const struct row_port *rows, const struct recorded_entry *entry, struct fault *fault)
{
	if (projection == 0)
		return sum(rows, entry, fault);
	if (slice_equal(entry->type, SLICE("Bad")) && fake_bad)
		return fault_set(fault, FAULT_SCRIPT, "raised", "moves.lua:3: no");
	if (slice_equal(entry->type, SLICE("Slow")) && fake_slow != 0 && fake_slow-- != 0)
		return fault_set(fault, FAULT_SCRIPT, "time_limit", "moves.lua: took too long");
	return move(rows, entry, slice_equal(entry->type, SLICE("Twice")) ? 1 : entry->position, fault);
}

static int
project(struct script_machine *machine, uint16_t projection, const struct row_port *rows,
	const struct recorded_entry *entries, size_t count, size_t *done, struct fault *fault)
{
	(void)machine;
	fake_largest = count > fake_largest ? count : fake_largest;
	for (*done = 0; *done < count; ++*done)
		if (handle(projection, rows, &entries[*done], fault) != 0)
			return -1;
	return 0;
}

static const struct script_ops script_ops;

static int
machine_open(const struct script_program *program, const struct script_options *options,
	     struct script_machine **machine, struct fault *fault)
{
	(void)options;
	(void)fault;
	*machine = calloc(1, sizeof(**machine));
	**machine = (struct script_machine){ &script_ops, program };
	return 0;
}

static void
machine_close(struct script_machine *machine)
{
	free(machine);
}

static bool
machine_tidy(struct script_machine *machine)
{
	(void)machine;
	return false;
}

static const struct script_ops script_ops = {
	.open = machine_open, .close = machine_close, .project = project, .tidy = machine_tidy
};
static struct script_program program = {
	.ops = &script_ops,
	.domain = SLICE("bank"),
	.projections = projections,
	.projection_count = 2,
	.tables = tables,
	.table_count = 2,
};

struct script_program *
fake_program(void)
{
	projections[1].hash.bytes[0] = 2;
	return &program;
}
