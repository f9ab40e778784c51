/* SPDX-License-Identifier: MIT */
/* What is told of two versions of a domain's rules. */
#include "core/changes.h"

#include "script/lua/lua_room.h"
#include "support/check.h"

static struct arena arena;
static struct buf told;

struct side {
	struct source_file items[4];
	struct source_set sources;
	struct script_program *program;
};

static void
load(struct side *side, const char *const *texts)
{
	static const char *const names[] = { "account.lua", "domain.lua", "rows.lua", "zero.lua" };
	const struct script_options options = { .development = true };
	struct fault fault;
	*side = (struct side){ 0 };
	for (size_t i = 0; i < countof(names); i++) {
		if (texts[i] == NULL)
			continue;
		struct source_file *item = &side->items[side->sources.count++];
		*item = (struct source_file){ .path = slice_text(names[i]), .bytes = slice_text(texts[i]) };
		digest_of(item->bytes, &item->hash);
	}
	side->sources.domain = SLICE("bank");
	side->sources.items = side->items;
	if (script_load(moon_ops(), &side->sources, &options, &side->program, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
}

/* The changes from one to the other, as text. */
static const char *
changes(const char *const *before, const char *const *after)
{
	struct side a, b;
	struct change *list;
	struct fault fault;
	size_t count;
	load(&a, before);
	load(&b, after);
	const struct change_side from = { &a.sources, a.program }, to = { &b.sources, b.program };
	arena_init(&arena, 1 << 20);
	buf_init(&told, 1 << 20);
	if (changes_find(&from, &to, &arena, &list, &count, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	changes_write_text(list, count, &told);
	buf_byte(&told, '\0');
	script_unload(a.program);
	script_unload(b.program);
	arena_fini(&arena);
	return told.data;
}

static bool
tells(const char *got, const char *wanted)
{
	bool found = strstr(got, wanted) != NULL;
	buf_fini(&told);
	return found;
}

static void
same_text(const char *got, const char *wanted)
{
	if (strcmp(got, wanted) != 0)
		CHECK_FAIL("got:\n%swanted:\n%s", got, wanted);
	buf_fini(&told);
}

#define ACCOUNT                                                                                                        \
	"return { name = 'account', initial = function() return {} end,\n"                                             \
	"events = { Opened = { apply = function(s) return s end }, Paid = { apply = function(s) return s end } },\n"   \
	"commands = { Open = { creates = true, handle = function() return {} end },\n"                                 \
	"  Pay = { handle = function() return {} end } } }"
#define DOMAIN                                                                                                         \
	"return { queries = { all = { run = function() return {} end } },\n"                                           \
	"routes = { { 'POST', '/a', command = 'account.Open' }, { 'GET', '/q', query = 'all' } } }"
#define ROWS                                                                                                           \
	"return { name = 'rows', tables = { T = { key = { 'Id' }, columns = { Id = 'text' } } },\n"                    \
	"on = { Opened = function() end } }"

static const char *const start[] = { ACCOUNT, DOMAIN, ROWS, NULL };

TEST(tells_nothing_of_the_same_rules)
{
	same_text(changes(start, start), "");
}

TEST(tells_a_file_whose_handlers_changed)
{
	const char *const after[] = { ACCOUNT, DOMAIN " -- said", ROWS, NULL };
	same_text(changes(start, after), "  ~ file domain.lua\n");
}

TEST(tells_events_commands_and_versions)
{
	const char *const after[] = {
		"return { name = 'account', state_version = 2, initial = function() return {} end,\n"
		"events = { Opened = { version = 2, upcast = { [1] = function(d) return d end }, publish = { topic = "
		"'t' },"
		" apply = function(s) return s end },\n"
		"  Closed = { apply = function(s) return s end } },\n"
		"retired = { Paid = { upcast = { [1] = function() return false end } } },\n"
		"commands = { Open = { anywhere = true, handle = function() return {} end },\n"
		"  Close = { handle = function() return {} end } } }",
		DOMAIN, ROWS, NULL
	};
	same_text(changes(start, after), "  ~ file account.lua\n"
					 "  ~ aggregate account: state_version 1 to 2\n"
					 "  + event account.Closed\n"
					 "  ~ event account.Opened: version 1 to 2\n"
					 "  ~ event account.Paid: retired\n"
					 "  + command account.Close\n"
					 "  ~ command account.Open: takes any stream\n"
					 "  - command account.Pay\n"
					 "  ~ projection rows: its rows are made anew\n");
}

TEST(tells_projections_tables_queries_and_routes)
{
	const char *const after[] = {
		ACCOUNT,
		"return { queries = { some = { run = function() return {} end } },\n"
		"routes = { { 'POST', '/a', command = 'account.Pay' }, { 'GET', '/s', query = 'some' } } }",
		"return { name = 'rows', tables = { U = { key = { 'Id' }, columns = { Id = 'text' } } },\n"
		"on = { Opened = function() end } }",
		"return { name = 'more', tables = { V = { key = { 'Id' }, columns = { Id = 'text' } } }, on = {} }"
	};
	same_text(changes(start, after), "  ~ file domain.lua\n"
					 "  ~ file rows.lua\n"
					 "  + file zero.lua\n"
					 "  + table U\n"
					 "  + table V\n"
					 "  - table T\n"
					 "  ~ projection rows: its rows are made anew\n"
					 "  + projection more: its rows are made from the log\n"
					 "  + query some\n"
					 "  - query all\n"
					 "  ~ route POST /a: account.Pay\n"
					 "  + route GET /s: query some\n"
					 "  - route GET /q\n");
}

TEST(tells_what_reacts)
{
	static const char *const one =
		"return { name = 'r', topics = { 't' }, react = { X = function() return {} end } }";
	static const char *const other =
		"return { name = 'r', topics = { 't' }, react = { X = function() return end } }";
	const char *const none[4] = { NULL, NULL, NULL, "return {}" }, *const with[4] = { one, NULL, NULL,
											  "return {}" };
	const char *const changed[4] = { other, NULL, NULL, "return {}" };
	CHECK(tells(changes(none, with), "  + reactor r\n"));
	CHECK(tells(changes(with, none), "  - reactor r\n"));
	CHECK(tells(changes(with, changed), "  ~ reactor r: what it does\n"));
	CHECK(!tells(changes(with, with), "reactor"));
}

TEST_MAIN()
