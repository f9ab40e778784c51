/* SPDX-License-Identifier: MIT */
/*
 * Shadow replay beside plain replay, both by processor time, in turns over the same streams of a stopped daemon's data.
 *
 *   bench_shadow DATA DOMAIN_FOLDER AGGREGATE [ROUNDS]
 *
 * plain: every stream of the aggregate by load_stream without snapshots, one machine; counted are the events folded.
 * shadow: shadow_run with one thread over all history, the folder's rules beside themselves under another fold hash;
 * counted are the events folded by either side, so twice the log's. What it does besides (walking the log for its
 * streams, encoding and comparing states) is in its time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/domain.h"
#include "core/load.h"
#include "core/shadow.h"
#include "script/lua/lua_room.h"
#include "store/sqlite/sqlite.h"

#define ROUNDS_MAX 101

static const struct script_options script;
static struct store *store;
static struct ruleset *before, *after;
static struct fault fault;
static struct slice *streams;
static size_t stream_count, stream_room;
static struct arena names;

static _Noreturn void
fail(void)
{
	fprintf(stderr, "bench_shadow: %s\n", fault.text);
	exit(1);
}

static double
processor_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct ruleset *
load_rules(const char *folder)
{
	struct source_set sources;
	struct ruleset *rules;
	struct arena arena;

	arena_init(&arena, (size_t)1 << 30);
	if (domain_read_folder(folder, &arena, &sources, &fault) != 0 ||
	    ruleset_make(&arena, &sources, moon_ops(), &script, &rules, &fault) != 0)
		fail();
	return rules;
}

/* Another fold hash, so that history is asked. */
static void
tell_apart(struct script_program *program, size_t aggregate)
{
	struct script_aggregate *copy = calloc(program->aggregate_count, sizeof(*copy));

	if (copy == NULL)
		exit(1);
	memcpy(copy, program->aggregates, program->aggregate_count * sizeof(*copy));
	copy[aggregate].fold_hash.bytes[0] ^= 1;
	program->aggregates = copy;
}

static void
add_stream(struct slice name)
{
	if (stream_count == stream_room) {
		stream_room = stream_room != 0 ? 2 * stream_room : 1024;
		streams = realloc(streams, stream_room * sizeof(*streams));
		if (streams == NULL)
			exit(1);
	}
	streams[stream_count++] = arena_copy(&names, name);
}

/* Each by its first event. */
static void
list_streams(struct slice prefix)
{
	struct log_filter filter = { .stream_prefix = prefix, .events_only = true };
	struct store_reader *reader;
	struct entries entries;
	struct arena page;
	log_position at = 0, last;

	arena_init(&page, (size_t)256 << 20);
	if (store_reader_open(store, &reader, &fault) != 0)
		fail();
	do {
		last = at;
		arena_clear(&page);
		if (store_read_log(reader, at, &filter, (struct read_limit){ 1000, 0 }, &page, &entries, &at, &fault) !=
		    0)
			fail();
		for (size_t i = 0; i < entries.count; i++)
			if (entries.items[i].version == 1)
				add_stream(entries.items[i].stream);
	} while (at != last);
	store_reader_close(reader);
	arena_fini(&page);
}

/* Events a second of processor time. */
static double
run_plain(uint16_t aggregate, uint64_t *events)
{
	struct loading loading = { .aggregate = aggregate };
	struct arena page;
	double begin = processor_seconds();

	*events = 0;
	arena_init(&page, (size_t)64 << 20);
	loading.arena = &page;
	if (store_reader_open(store, &loading.reader, &fault) != 0 ||
	    script_open(before->program, &script, &loading.machine, &fault) != 0)
		fail();
	for (size_t i = 0; i < stream_count; i++) {
		stream_version version = 0;
		script_state state = 0;

		if (load_stream(&loading, streams[i], 0, &state, &version, &fault) != 0)
			fail();
		script_state_release(loading.machine, state);
		*events += version;
	}
	script_close(loading.machine);
	store_reader_close(loading.reader);
	arena_fini(&page);
	return (double)*events / (processor_seconds() - begin);
}

static double
run_shadow(uint64_t events)
{
	struct shadow_options options = {
		.store = store, .clock = clock_real(), .script = &script, .before = before, .after = after, .threads = 1
	};
	struct shadow_result result = { 0 };
	struct arena arena;
	double begin = processor_seconds(), took;

	arena_init(&arena, (size_t)64 << 20);
	if (shadow_run(&options, &arena, &result, &fault) != 0)
		fail();
	took = processor_seconds() - begin;
	if (result.events != events || result.differing != 0 || result.asked != result.streams) {
		fprintf(stderr, "bench_shadow: %llu of %llu events asked, %llu streams differ\n",
			(unsigned long long)result.events, (unsigned long long)events,
			(unsigned long long)result.differing);
		exit(1);
	}
	arena_fini(&arena);
	return 2 * (double)result.events / took;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	struct sqlite_options files = { .path = argc > 3 ? argv[1] : NULL };
	size_t rounds = argc > 4 ? strtoul(argv[4], NULL, 10) : 5;
	double plain[ROUNDS_MAX], shadow[ROUNDS_MAX], ratios[ROUNDS_MAX];
	uint64_t events = 0;
	int aggregate;

	if (argc < 4 || rounds == 0 || rounds > ROUNDS_MAX)
		return fprintf(stderr, "usage: bench_shadow DATA DOMAIN_FOLDER AGGREGATE [ROUNDS]\n"), 2;
	arena_init(&names, SIZE_MAX);
	before = load_rules(argv[2]);
	after = load_rules(argv[2]);
	aggregate = script_find_aggregate(before->program, slice_text(argv[3]));
	if (aggregate < 0)
		return fprintf(stderr, "bench_shadow: no aggregate %s\n", argv[3]), 2;
	tell_apart(after->program, (size_t)aggregate);
	if (sqlite_open(&files, &store, &fault) != 0)
		fail();
	list_streams(arena_format(&names, "%.*s.%s/", SLICE_ARG(before->program->domain), argv[3]));
	for (size_t i = 0; i < rounds; i++) {
		plain[i] = run_plain((uint16_t)aggregate, &events);
		shadow[i] = run_shadow(events);
		ratios[i] = shadow[i] / plain[i];
	}
	qsort(plain, rounds, sizeof(*plain), compare);
	qsort(shadow, rounds, sizeof(*shadow), compare);
	qsort(ratios, rounds, sizeof(*ratios), compare);
	printf("ratio=%.2f least=%.2f most=%.2f plain=%.0f shadow=%.0f events=%llu streams=%zu\n", ratios[rounds / 2],
	       ratios[0], ratios[rounds - 1], plain[rounds / 2], shadow[rounds / 2], (unsigned long long)events,
	       stream_count);
	store_close(store);
	ruleset_release(before);
	ruleset_release(after);
	arena_fini(&names);
	free(streams);
	return 0;
}
