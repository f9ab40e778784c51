/* SPDX-License-Identifier: MIT */
/* Recorded history through the folds of two generations: which streams are asked, in what order, what is told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/shadow.h"
#include "script/lua/lua_room.h"
#include "store/memory/memory.h"
#include "store/sqlite/sqlite.h"

#include "support/check.h"

#define AGGREGATE(name, fold)                                                                                          \
	"return { name = '" name "', initial = function() return { n = 0 } end, commands = {},\n"                      \
	"events = { Put = { data = { by = 'integer' },\n"                                                              \
	"  apply = function(state, data) " fold " return state end } } }\n"
#define SUM      "state.n = state.n + data.by"
#define SUM_ALSO "local sum = state.n; state.n = sum + data.by"
#define ONES     "if data.by == 1 then error 'one' end " SUM
#define FAILS    "if data.by == 7 then error 'seven' end " SUM
#define LARGE    "state.list = state.list or json.array {}; for i = 1, 2000 do state.list[i] = i end; state.name = 'one'"
#define OTHERS   "state.list[7] = 70; state.name = nil; state.long = string.rep('x', 600); " SUM
#define SEVENS   "state.n = state.n + (data.by == 7 and 70 or data.by)"

static struct store *store;
static char folder[64];
static struct arena arena;
static struct fault fault;
static const struct script_options script = { .development = true };
static struct shadow_result result;

static void
set_up(bool sqlite)
{
	struct sqlite_options options = { .path = folder, .create = true, .segment_entries = 1024 };

	arena_init(&arena, SIZE_MAX);
	snprintf(folder, sizeof(folder), "/tmp/moonlog-shadow-XXXXXX");
	if (mkdtemp(folder) == NULL ||
	    (sqlite ? sqlite_open(&options, &store, &fault) : memory_open(NULL, &store, &fault)) != 0)
		CHECK_FAIL("%s", fault.text);
}

static void
tear_down(void)
{
	char command[128];

	store_close(store);
	arena_fini(&arena);
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	CHECK_INT(system(command), 0);
}

static void
put(const char *stream, enum entry_kind kind, int by, size_t times)
{
	struct append_stream streams[] = { { slice_text(stream), { EXPECTED_ANY, 0 } } };
	struct new_entry entries[100];
	const struct provenance nobody = { 0 };
	char data[32];

	snprintf(data, sizeof(data), "{\"by\":%d}", by);
	for (size_t i = 0; i < countof(entries); i++) {
		entries[i] = (struct new_entry){
			.kind = kind, .schema_version = 1, .type = SLICE("Put"), .data = slice_text(data)
		};
		if (kind == ENTRY_MESSAGE)
			entries[i].topic = SLICE("told");
		entry_digest(&entries[i], streams[0].name, 1, &nobody, &entries[i].digest);
	}
	for (size_t left = times; left > 0;) {
		size_t count = left < countof(entries) ? left : countof(entries);
		struct append append = { .streams = streams,
					 .stream_count = 1,
					 .entries = entries,
					 .entry_count = count,
					 .generation = 1,
					 .arena = &arena },
			      *group[] = { &append };

		if (store_commit(store, group, 1, &fault) != COMMIT_DONE)
			CHECK_FAIL("%s", fault.text);
		CHECK_INT(append.answer, APPEND_DONE);
		left -= count;
	}
	while (store_idle(store))
		;
}

static struct ruleset *
rules(const char *item, const char *part)
{
	static struct source_file files[3];
	struct source_set sources = { .domain = SLICE("shop"), .items = files, .count = countof(files) };
	struct ruleset *made = NULL;
	struct arena of;

	arena_init(&of, SIZE_MAX);
	files[0] = (struct source_file){ .path = SLICE("item.lua"), .bytes = slice_text(item) };
	files[1] = (struct source_file){ .path = SLICE("other.lua"), .bytes = SLICE(AGGREGATE("other", SUM)) };
	files[2] = (struct source_file){ .path = SLICE("part.lua"), .bytes = slice_text(part) };
	for (size_t i = 0; i < countof(files); i++)
		digest_of(files[i].bytes, &files[i].hash);
	if (ruleset_make(&of, &sources, moon_ops(), &script, &made, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	return made;
}

/* Each look at it is a millisecond later. */
static int64_t
next_ms(void *self)
{
	int64_t *now = self;

	return *now += 1000000;
}

static void
ask_between(struct ruleset *before, struct ruleset *after, unsigned threads, int64_t box_us)
{
	int64_t now = 0;
	const struct clock counting = { .mono_ns = next_ms, .self = &now };
	struct shadow_options options = { .store = store,
					  .clock = box_us != 0 ? &counting : clock_real(),
					  .script = &script,
					  .before = before,
					  .after = after,
					  .threads = threads,
					  .box_us = box_us };

	if (shadow_run(&options, &arena, &result, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	for (size_t i = 0; i < result.shown_count; i++)
		result.shown[i].aggregate = arena_copy(&arena, result.shown[i].aggregate);
	ruleset_release(before);
	ruleset_release(after);
}

static void
ask_until(const char *item, const char *part, unsigned threads, int64_t box_us)
{
	ask_between(rules(AGGREGATE("item", SUM), AGGREGATE("part", SUM)), rules(item, part), threads, box_us);
}

/* `items` of three events each: the last of them are 7 where i is a multiple of ten; `others` entries among them. */
static void
fill(int items, size_t others)
{
	char name[64];

	for (int i = 0; i < items; i++) {
		snprintf(name, sizeof(name), "shop.item/%d", i);
		put(name, ENTRY_EVENT, 1, 2);
		put("shop.other/o", ENTRY_EVENT, 7, others / (size_t)items);
	}
	for (int i = items; i-- > 0;) {
		snprintf(name, sizeof(name), "shop.item/%d", i);
		put(name, ENTRY_EVENT, i % 10 == 0 ? 7 : 1, 1);
	}
	put("shop.item/told", ENTRY_MESSAGE, 7, 1);
	put("shop.itemized/x", ENTRY_EVENT, 7, 1);
}

/* The sixth differing stream is the newest: they were written backwards. */
static void
check_all(unsigned threads)
{
	ask_until(AGGREGATE("item", SUM_ALSO), AGGREGATE("part", SUM), threads, 0);
	CHECK_INT(result.streams, 60);
	CHECK_INT(result.asked, 60);
	CHECK_INT(result.events, 180);
	CHECK_INT(result.differing, 0);
	ask_until(AGGREGATE("item", SEVENS), AGGREGATE("part", SUM), threads, 0);
	CHECK_INT(result.streams, 60);
	CHECK_INT(result.asked, 60);
	CHECK_INT(result.differing, 6);
	CHECK_INT(result.shown_count, 6);
	CHECK_SLICE(result.shown[0].stream, "shop.item/0");
	CHECK_SLICE(result.shown[5].stream, "shop.item/50");
	CHECK_INT(result.shown[5].version, 3);
	CHECK_SLICE(result.shown[5].before, "{\"n\":9}");
	CHECK_SLICE(result.shown[5].after, "{\"n\":72}");
	CHECK_SLICE(result.shown[5].places, "[{\"path\":\"n\",\"before\":9,\"after\":72}]");
}

/* Few beside the log's entries are listed, else the log is walked: both must say the same. */
static void
check_both(bool sqlite)
{
	const size_t others[] = { 60, 6000 };

	for (size_t i = 0; i < countof(others); i++) {
		set_up(sqlite);
		fill(60, others[i]);
		for (unsigned threads = 1; threads <= 3; threads++)
			check_all(threads);
		tear_down();
	}
}

TEST(every_stream_is_asked_once_whatever_else_is_recorded_in_memory)
{
	check_both(false);
}

TEST(every_stream_is_asked_once_whatever_else_is_recorded_in_a_file)
{
	check_both(true);
}

TEST(the_streams_that_were_written_last_are_asked_first)
{
	const size_t others[] = { 60, 6000 };

	for (size_t i = 0; i < countof(others); i++) {
		set_up(true);
		fill(60, others[i]);
		/* Seven streams' worth of time; written last are 0 to 6, and 0 differs. By name 10 would come, too. */
		ask_until(AGGREGATE("item", SEVENS), AGGREGATE("part", SUM), 1, 7000);
		CHECK_INT(result.streams, 60);
		CHECK_INT(result.asked, 7);
		CHECK_INT(result.differing, 1);
		CHECK_SLICE(result.shown[0].stream, "shop.item/0");
		tear_down();
	}
}

TEST(streams_of_several_aggregates_are_asked_together)
{
	set_up(true);
	fill(30, 6000);
	put("shop.part/a", ENTRY_EVENT, 7, 40);
	put("shop.part/b", ENTRY_EVENT, 1, 40);
	ask_until(AGGREGATE("item", SEVENS), AGGREGATE("part", SEVENS), 2, 0);
	CHECK_INT(result.streams, 32);
	CHECK_INT(result.asked, 32);
	CHECK_INT(result.differing, 4);
	CHECK_SLICE(result.shown[0].stream, "shop.part/a");
	CHECK_SLICE(result.shown[0].aggregate, "part");
	CHECK_INT(result.shown[0].version, 1);
	tear_down();
}

/* Rules that mend a fold are not held up by the streams that it failed on. */
TEST(streams_that_the_old_rules_fail_on_are_left_out_and_no_reason_to_refuse)
{
	set_up(true);
	fill(60, 60);
	put("shop.item/7", ENTRY_EVENT, 7, 1);
	ask_between(rules(AGGREGATE("item", FAILS), AGGREGATE("part", SUM)),
		    rules(AGGREGATE("item", SEVENS), AGGREGATE("part", SUM)), 2, 0);
	CHECK_INT(result.streams, 60);
	CHECK_INT(result.asked, 60);
	CHECK_INT(result.left_out, 7);
	CHECK_INT(result.stopped, 0);
	CHECK_INT(result.differing, 0);
	/* What the new ones fail on before that is their own. */
	ask_between(rules(AGGREGATE("item", FAILS), AGGREGATE("part", SUM)),
		    rules(AGGREGATE("item", ONES), AGGREGATE("part", SUM)), 2, 0);
	CHECK_INT(result.differing, 60);
	CHECK_INT(result.left_out, 0);
	tear_down();
}

/* A state that is too large to show whole is no secret: where the two part is told all the same. */
TEST(of_large_states_the_places_that_differ_are_told)
{
	set_up(true);
	put("shop.item/1", ENTRY_EVENT, 1, 1);
	ask_between(rules(AGGREGATE("item", LARGE "; " SUM), AGGREGATE("part", SUM)),
		    rules(AGGREGATE("item", LARGE "; " OTHERS), AGGREGATE("part", SUM)), 1, 0);
	CHECK_INT(result.differing, 1);
	CHECK_INT(result.shown[0].before.size, 0);
	CHECK_INT(result.shown[0].after.size, 0);
	CHECK_SLICE(result.shown[0].places, "[{\"path\":\"list[7]\",\"before\":7,\"after\":70},"
					    "{\"path\":\"long\",\"after_bytes\":602},"
					    "{\"path\":\"name\",\"before\":\"one\"}]");
	tear_down();
}

TEST_MAIN()
