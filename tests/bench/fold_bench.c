/* SPDX-License-Identifier: MIT */
/*
 * Replay through a domain's Lua fold, one core: every stream of a stopped daemon's data is read through the store's
 * door
 * (digests checked) and folded from its first event.
 *
 *   bench_fold DATA DOMAIN_FOLDER AGGREGATE
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/domain.h"
#include "script/lua/lua_room.h"
#include "store/sqlite/sqlite.h"

static struct script_program *program;
static struct script_machine *machine;
static struct store *store;
static struct store_reader *reader;
static struct fault fault;
static struct arena page;

static _Noreturn void
fail(void)
{
	fprintf(stderr, "bench_fold: %s\n", fault.text);
	exit(1);
}

static double
processor_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* States by stream name while the log goes by. */
struct folding {
	struct slice name;
	script_state state;
};

static struct folding *table;
static size_t room, states;
static struct arena names;

static void
widen_table(void)
{
	size_t before = room;
	struct folding *old = table;

	room = before != 0 ? 2 * before : 1024;
	table = calloc(room, sizeof(*table));
	if (table == NULL)
		exit(1);
	for (size_t i = 0; i < before; i++) {
		size_t at = slice_hash(old[i].name, 0) & (room - 1);

		while (old[i].state != 0 && table[at].state != 0)
			at = (at + 1) & (room - 1);
		if (old[i].state != 0)
			table[at] = old[i];
	}
	free(old);
}

static struct folding *
folding_of(struct slice name, uint16_t aggregate)
{
	size_t at;

	if (2 * states >= room)
		widen_table();
	at = slice_hash(name, 0) & (room - 1);
	while (table[at].state != 0 && !slice_equal(table[at].name, name))
		at = (at + 1) & (room - 1);
	if (table[at].state == 0) {
		states++;
		table[at].name = arena_copy(&names, name);
		if (script_initial(machine, aggregate, &table[at].state, &fault) != 0)
			fail();
	}
	return &table[at];
}

static uint64_t
fold_log(uint16_t aggregate)
{
	const struct log_filter events_only = { .events_only = true };
	struct entries entries;
	log_position at = 0, before;
	uint64_t events = 0;
	size_t folded;

	do {
		before = at;
		arena_clear(&page);
		if (store_read_log(reader, at, &events_only, (struct read_limit){ 1000, 0 }, &page, &entries, &at,
				   &fault) != 0)
			fail();
		for (size_t i = 0; i < entries.count; i++) {
			const struct recorded_entry *entry = &entries.items[i];

			if (script_fold(machine, aggregate, folding_of(entry->stream, aggregate)->state, entry, 1,
					&folded, &fault) != 0)
				fail();
			events++;
		}
	} while (at != before);
	return events;
}

int
main(int argc, char **argv)
{
	static const struct script_options options;
	struct sqlite_options files = { .path = argc == 4 ? argv[1] : NULL };
	struct source_set sources;
	struct arena sources_arena;
	uint64_t events;

	if (argc != 4)
		return fprintf(stderr, "usage: bench_fold DATA DOMAIN_FOLDER AGGREGATE\n"), 2;
	arena_init(&page, SIZE_MAX);
	arena_init(&names, SIZE_MAX);
	arena_init(&sources_arena, SIZE_MAX);
	/* As the daemon does: without it rules run under a count hook. */
	if (moon_watchdog_start(SIGRTMIN + 5, &fault) != 0)
		fail();
	if (domain_read_folder(argv[2], &sources_arena, &sources, &fault) != 0 ||
	    script_load(moon_ops(), &sources, &options, &program, &fault) != 0 ||
	    script_open(program, &options, &machine, &fault) != 0 || sqlite_open(&files, &store, &fault) != 0 ||
	    store_reader_open(store, &reader, &fault) != 0)
		fail();
	int aggregate = script_find_aggregate(program, slice_text(argv[3]));
	if (aggregate < 0)
		return fprintf(stderr, "bench_fold: no aggregate %s\n", argv[3]), 2;
	double begin = processor_seconds();
	events = fold_log((uint16_t)aggregate);
	double took = processor_seconds() - begin;
	printf("rate=%.1f events=%llu entries=%llu\n", (double)events / took, (unsigned long long)events,
	       (unsigned long long)store_head(store));
	store_reader_close(reader);
	store_close(store);
	script_close(machine);
	script_unload(program);
	arena_fini(&page);
	free(table);
	arena_fini(&names);
	arena_fini(&sources_arena);
	return 0;
}
