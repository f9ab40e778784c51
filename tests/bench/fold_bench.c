/* SPDX-License-Identifier: MIT */
/*
 * Replay through a domain's Lua fold, one core: every stream of a stopped daemon's data is read through the store's
 * door
 * (digests checked) and folded from its first event.
 *
 *   bench_fold DATA DOMAIN_FOLDER AGGREGATE
 */
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

static uint64_t
fold_stream(struct slice name, uint16_t aggregate)
{
	struct entries entries;
	stream_version version = 1, from = 1;
	script_state state;
	size_t folded;

	if (script_initial(machine, aggregate, &state, &fault) != 0)
		fail();
	for (; from <= version; from += entries.count) {
		arena_clear(&page);
		if (store_read_stream(reader, name, from, (struct read_limit){ 1000, 0 }, &page, &entries, &version,
				      &fault) != 0 ||
		    script_fold(machine, aggregate, state, entries.items, entries.count, &folded, &fault) != 0)
			fail();
	}
	script_state_release(machine, state);
	return version;
}

int
main(int argc, char **argv)
{
	static const struct script_options options;
	struct sqlite_options files = { .path = argc == 4 ? argv[1] : NULL };
	struct source_set sources;
	struct arena names_arena, sources_arena;
	struct slice *names;
	size_t count;
	uint64_t events = 0;

	if (argc != 4)
		return fprintf(stderr, "usage: bench_fold DATA DOMAIN_FOLDER AGGREGATE\n"), 2;
	arena_init(&page, SIZE_MAX);
	arena_init(&names_arena, SIZE_MAX);
	arena_init(&sources_arena, SIZE_MAX);
	if (domain_read_folder(argv[2], &sources_arena, &sources, &fault) != 0 ||
	    script_load(moon_ops(), &sources, &options, &program, &fault) != 0 ||
	    script_open(program, &options, &machine, &fault) != 0 || sqlite_open(&files, &store, &fault) != 0 ||
	    store_reader_open(store, &reader, &fault) != 0 ||
	    store_list_streams(reader, SLICE_NONE, SLICE_NONE, 1000000, &names_arena, &names, &count, &fault) != 0)
		fail();
	int aggregate = script_find_aggregate(program, slice_text(argv[3]));
	if (aggregate < 0)
		return fprintf(stderr, "bench_fold: no aggregate %s\n", argv[3]), 2;
	double begin = processor_seconds();
	for (size_t i = 0; i < count; i++)
		events += fold_stream(names[i], (uint16_t)aggregate);
	printf("rate=%.1f events=%llu streams=%zu\n", (double)events / (processor_seconds() - begin),
	       (unsigned long long)events, count);
	store_reader_close(reader);
	store_close(store);
	script_close(machine);
	script_unload(program);
	arena_fini(&page);
	arena_fini(&names_arena);
	arena_fini(&sources_arena);
	return 0;
}
