/* SPDX-License-Identifier: MIT */
/* Rules against recorded history: paths and samples before rules are taken [I2, I7]. */
#include <string.h>

#include "core/catalogue.h"
#include "script/lua/lua_room.h"
#include "store/memory/memory.h"

#include "support/check.h"

#define RULES(events) "return { name = 'post', initial = function() return { n = 0 } end, commands = {},\n" events "}\n"
#define APPLY         "apply = function(state, data) state.n = state.n + 1 return state end"

static struct store *store;
static struct store_reader *reader;
static struct arena arena;
static struct fault fault;
static struct script_program *program;
static const struct script_options options = { .development = true };

static void
set_up(void)
{
	arena_init(&arena, SIZE_MAX);
	CHECK_INT(memory_open(NULL, &store, &fault), 0);
	CHECK_INT(store_reader_open(store, &reader, &fault), 0);
}

static void
tear_down(void)
{
	store_reader_close(reader);
	store_close(store);
	arena_fini(&arena);
}

static void
put(const char *stream, const char *type, uint32_t version, const char *data, size_t times)
{
	struct append_stream streams[] = { { slice_text(stream), { EXPECTED_ANY, 0 } } };
	struct new_entry entry = {
		.kind = ENTRY_EVENT, .schema_version = version, .type = slice_text(type), .data = slice_text(data)
	};
	const struct provenance nobody = { 0 };

	entry_digest(&entry, streams[0].name, 1, &nobody, &entry.digest);
	for (size_t i = 0; i < times; i++) {
		struct append append = { .streams = streams,
					 .stream_count = 1,
					 .entries = &entry,
					 .entry_count = 1,
					 .generation = 1,
					 .arena = &arena },
			      *group[] = { &append };

		CHECK_INT(store_commit(store, group, 1, &fault), COMMIT_DONE);
		CHECK_INT(append.answer, APPEND_DONE);
	}
}

static void
load(const char *text)
{
	struct source_file source = { .path = SLICE("post.lua"), .bytes = slice_text(text) };
	struct source_set sources = { .domain = SLICE("shop"), .items = &source, .count = 1 };

	digest_of(source.bytes, &source.hash);
	if (script_load(moon_ops(), &sources, &options, &program, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
}

static char found[2000];

static void
note(void *self, const struct catalogue_finding *finding)
{
	(void)self;
	snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s: %s\n", finding->code, finding->text);
}

static size_t
findings(const char *text)
{
	struct catalogue_report report = { .found = note };

	found[0] = '\0';
	load(text);
	int result = catalogue_check(reader, program, &options, &report, &fault);
	script_unload(program);
	CHECK_INT(result, report.findings == 0 ? 0 : -1);
	if (report.findings != 0)
		CHECK_TEXT(fault.code, "history_unread");
	return report.findings;
}

static void
says(const char *text)
{
	if (strstr(found, text) == NULL)
		CHECK_TEXT(found, text);
}

TEST(rules_without_a_path_are_refused_by_name)
{
	set_up();
	put("shop.post/a", "Posted", 1, "{\"Text\":\"x\"}", 3);
	put("shop.post/a", "Liked", 2, "{}", 1);
	put("shop.room/a", "Entered", 1, "{}", 1);
	put("bank.post/a", "Forgotten", 1, "{}", 1);
	CHECK_INT(findings(RULES("events = { Posted = { version = 2, data = { text = 'string' }, " APPLY " } }")), 3);
	says("no_upcast_path: post.Posted 1, recorded last around position 3: `upcast` lacks a step");
	says("unknown_event: post.Liked 2, recorded last around position 4: the rules know no such event");
	says("no_aggregate: room.Entered 1");
	CHECK(strstr(fault.text, "the rules of shop cannot read what is recorded: ") != NULL);
	CHECK(strstr(fault.text, "; and there is more") != NULL);
	CHECK_INT(findings(RULES("events = { Posted = { " APPLY " }, Liked = { " APPLY " } }")), 2);
	says("newer_event: post.Liked 2");
	tear_down();
}

TEST(a_path_that_fails_on_samples_is_refused_with_the_sample)
{
	set_up();
	put("shop.post/old", "Posted", 1, "{\"Text\":\"x\"}", 1);
	put("shop.post/odd", "Posted", 1, "{\"Txt\":\"x\"}", 1);
	put("shop.post/new", "Posted", 2, "{\"text\":\"x\"}", 9000); /* far behind the last entries */
	put("shop.post/new", "Liked", 1, "{}", 9);
#define POSTED(upcast)                                                                                                 \
	RULES("events = { Liked = { " APPLY " }, Posted = { version = 2, data = { text = 'string' }, " APPLY           \
	      ", upcast = { [1] = function(data) " upcast " end } } }")
	CHECK_INT(findings(POSTED("return { text = data.Text or data.Txt }")), 0);
	CHECK_INT(findings(POSTED("return { text = data.Text }")), 1);
	says("bad_upcast: shop.post/odd version 1 (position 2), Posted 1: post.lua:");
	says("upcasters give Posted: text");
	CHECK_INT(findings(POSTED("return { text = data.Txt:upper() }")), 1); /* the newest one is well */
	says("script_error: shop.post/old version 1 (position 1), Posted 1: post.lua:2: ");
	tear_down();
}

TEST_MAIN()
