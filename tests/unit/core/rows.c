/* SPDX-License-Identifier: MIT */
/* What rows would differ when a projection changes: recorded entries through both, before the rules are taken. */
#include <stdio.h>
#include <string.h>

#include "core/shadow_rows.h"
#include "script/lua/lua_room.h"
#include "store/memory/memory.h"
#include "view/memory/view_memory.h"

#include "support/check.h"

#define ENTRIES_ASKED 50000 /* more are a sample of the newest streams */
#define STREAMS       60    /* of 1001 entries */

static const char aggregates[] = "local function fold(state) return state end\n"
				 "return { name = 'item', initial = function() return {} end, commands = {},\n"
				 "events = { Put = { data = { amount = 'integer' }, apply = fold },\n"
				 "           Moved = { data = { to = 'string' }, apply = fold } } }\n";

/* Rows of one stream, and of all of them in one. */
#define PROJECTION(put, moved)                                                                                         \
	"return { name = 'sums', tables = {\n"                                                                         \
	"  Sums = { key = { 'Id' }, columns = { Id = 'text', Total = 'integer' } } },\n"                               \
	"on = { Put = function(view, data, meta) local amount = data.amount " put " end,\n"                            \
	"       Moved = function(view, data, meta) " moved " end } }\n"
#define ADD "view.Sums:add({ Id = meta.stream_id }, { Total = amount })"
#define MOVED                                                                                                          \
	"local row = view.Sums:get({ Id = data.to }); view.Sums:put({ Id = meta.stream_id, Total = row and 1 or 0 })"

static struct store *store;
static struct arena arena;
static struct fault fault;
static const struct script_options script = { .development = true };
static struct shadow_rows_result result;
static char report[1 << 16];

static void
put(const char *stream, const char *type, const char *data, size_t times)
{
	struct append_stream streams[] = { { slice_text(stream), { EXPECTED_ANY, 0 } } };
	struct new_entry entries[500];
	const struct provenance nobody = { 0 };

	for (size_t i = 0; i < countof(entries); i++) {
		entries[i] = (struct new_entry){
			.kind = ENTRY_EVENT, .schema_version = 1, .type = slice_text(type), .data = slice_text(data)
		};
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

		CHECK_INT(store_commit(store, group, 1, &fault), COMMIT_DONE);
		CHECK_INT(append.answer, APPEND_DONE);
		left -= count;
	}
}

static void
set_up(void)
{
	arena_init(&arena, SIZE_MAX);
	CHECK_INT(memory_open(NULL, &store, &fault), 0);
}

static void
tear_down(void)
{
	buf_fini(&result.projections);
	store_close(store);
	arena_fini(&arena);
}

static struct ruleset *
rules(const char *projection)
{
	static struct source_file files[2];
	struct source_set sources = { .domain = SLICE("shop"), .items = files, .count = 2 };
	struct arena of;
	struct ruleset *made = NULL;

	arena_init(&of, SIZE_MAX);
	files[0] = (struct source_file){ .path = SLICE("item.lua"), .bytes = slice_text(aggregates) };
	files[1] = (struct source_file){ .path = SLICE("sums.lua"), .bytes = slice_text(projection) };
	for (size_t i = 0; i < countof(files); i++)
		digest_of(files[i].bytes, &files[i].hash);
	if (ruleset_make(&of, &sources, moon_ops(), &script, &made, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	return made;
}

/* Gives whether anything was asked. */
static bool
ask(const char *old, const char *new, int64_t box_us)
{
	struct ruleset *before = rules(old), *after = rules(new);
	struct shadow_options options = { .store = store,
					  .clock = clock_real(),
					  .script = &script,
					  .before = before,
					  .after = after,
					  .threads = 1,
					  .box_us = box_us,
					  .scratch = view_memory_open };
	struct shadow_rows *rows;
	bool asked;

	buf_fini(&result.projections);
	shadow_rows_start(&options, &rows);
	asked = rows != NULL;
	shadow_rows_end(rows, &result);
	snprintf(report, sizeof(report), "%.*s", SLICE_ARG(buf_slice(&result.projections)));
	ruleset_release(before);
	ruleset_release(after);
	if (result.fault.class != FAULT_NONE)
		CHECK_FAIL("%s", result.fault.text);
	return asked;
}

static void
says(const char *text)
{
	if (strstr(report, text) == NULL)
		CHECK_TEXT(report, text);
}

TEST(rows_that_a_change_would_alter_are_told_by_key_with_old_and_new)
{
	set_up();
	put("shop.item/a", "Put", "{\"amount\":1}", 3);
	put("shop.item/b", "Put", "{\"amount\":7}", 1);
	put("shop.item/c", "Put", "{\"amount\":2}", 1);
	CHECK(ask(PROJECTION(ADD, MOVED), PROJECTION("if amount == 7 then amount = 70 end " ADD, MOVED), 10000000));
	CHECK_INT(result.rows_differ, 1);
	CHECK_INT(result.streams, 3);
	CHECK_INT(result.asked, 3);
	CHECK_INT(result.entries, 5);
	CHECK(result.whole && result.failing == 0);
	says("\"projection\":\"sums\",\"rows_differ\":1,\"left_out\":0,\"tables\":[{\"table\":\"Sums\"");
	says("{\"kind\":\"changed\",\"key\":{\"Id\":\"b\"},\"before\":{\"Id\":\"b\",\"Total\":7},"
	     "\"after\":{\"Id\":\"b\",\"Total\":70}}");
	/* Another shape of the table: rows are counted. */
	CHECK(ask(PROJECTION(ADD, MOVED),
		  "return { name = 'sums', tables = { Sums = { key = { 'Id' }, columns = { Id = 'text' } } },\n"
		  "on = { Put = function(view, _, meta) view.Sums:put({ Id = meta.stream_id }) end } }\n",
		  0));
	says("\"compared\":false,\"rows_before\":3,\"rows_after\":3");
	tear_down();
}

TEST(a_change_that_means_nothing_asks_nothing_and_another_code_for_the_same_rows_differs_nowhere)
{
	set_up();
	put("shop.item/a", "Put", "{\"amount\":1}", 3);
	CHECK(!ask(PROJECTION(ADD, MOVED), "-- a comment\n" PROJECTION(ADD, MOVED), 0));
	CHECK_INT(result.rows_differ, 0);
	CHECK(ask(PROJECTION(ADD, MOVED), PROJECTION("amount = amount + 0 " ADD, MOVED), 0));
	CHECK_INT(result.rows_differ, 0);
	CHECK_INT(result.entries, 3);
	says("\"rows_differ\":0");
	tear_down();
}

TEST(a_projection_that_fails_where_it_did_not_is_named_and_leaves_no_half)
{
	set_up();
	put("shop.item/a", "Put", "{\"amount\":1}", 2);
	put("shop.item/b", "Put", "{\"amount\":7}", 1);
	put("shop.item/a", "Put", "{\"amount\":1}", 2);
	CHECK(ask(PROJECTION(ADD, MOVED),
		  PROJECTION("view.Sums:put({ Id = 'x', Total = 0 }) assert(amount ~= 7, 'seven') "
			     "view.Sums:delete({ Id = 'x' }) " ADD,
			     MOVED),
		  0));
	CHECK_INT(result.failing, 1);
	CHECK(result.from_1);
	CHECK(strstr(result.failed, "projection sums at shop.item/b version 1 (Put, position 3): sums.lua:") != NULL);
	says("\"fails\":{\"entries\":1,\"stream\":\"shop.item/b\",\"version\":1,\"type\":\"Put\",\"position\":3");
	/* That entry is left out on both sides, and nothing of it stays. */
	CHECK_INT(result.rows_differ, 0);
	/* Where the old ones fail themselves nothing is said. */
	CHECK(ask(PROJECTION("assert(amount ~= 7) " ADD, MOVED), PROJECTION(ADD, MOVED), 0));
	CHECK_INT(result.failing, 0);
	CHECK_INT(result.rows_differ, 0);
	says("\"left_out\":1");
	tear_down();
}

TEST(rows_that_read_other_streams_rows_see_the_same_on_both_sides)
{
	char stream[32];

	set_up();
	put("shop.item/old", "Put", "{\"amount\":1}", 1000);
	for (int i = 0; i < STREAMS; i++) {
		snprintf(stream, sizeof(stream), "shop.item/n%d", i);
		put(stream, "Moved", "{\"to\":\"old\"}", 1);
		put(stream, "Put", "{\"amount\":7}", 1000);
	}
	/* The row that they read is not in the sample; that shows on neither side. */
	CHECK(ask(PROJECTION(ADD, MOVED), PROJECTION("amount = amount + 0 " ADD, MOVED), 60000000));
	CHECK_INT(result.rows_differ, 0);
	CHECK_INT(result.streams, STREAMS + 1);
	CHECK(!result.whole && !result.from_1);
	CHECK(result.asked == 50 && result.entries >= ENTRIES_ASKED && result.entries < ENTRIES_ASKED + 1000);
	CHECK(ask(PROJECTION(ADD, MOVED), PROJECTION("amount = amount + 1 " ADD, MOVED), 60000000));
	says("\"key\":{\"Id\":\"n11\"},\"before\":{\"Id\":\"n11\",\"Total\":7000},\"after\":{\"Id\":\"n11\",\"Total\":"
	     "8000}");
	/* All of it, from its beginning. */
	CHECK(ask(PROJECTION(ADD, MOVED), PROJECTION("amount = amount + 1 " ADD, MOVED), 0));
	CHECK(result.whole && result.from_1);
	CHECK_INT(result.entries, 1000 + STREAMS * 1001);
	CHECK_INT(result.rows_differ, STREAMS + 1);
	says("{\"Id\":\"n11\",\"Total\":7001}");
	tear_down();
}

TEST(a_time_box_that_is_over_asks_a_part_and_says_so)
{
	set_up();
	put("shop.item/a", "Put", "{\"amount\":1}", 40000);
	CHECK(ask(PROJECTION(ADD, MOVED), PROJECTION("for i = 1, 2000 do amount = amount + 0 end " ADD, MOVED),
		  100000));
	CHECK(!result.whole && result.entries < 40000);
	CHECK_INT(result.rows_differ, 0);
	tear_down();
}

TEST_MAIN()
