/* SPDX-License-Identifier: MIT */
/* Projections by streams: the rows of one stream made anew equal a fresh replay; nothing touches another stream's. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "core/projector.h"
#include "script/lua/lua_room.h"
#include "store/memory/memory.h"
#include "support/check.h"
#include "view/memory/view_memory.h"
#include "view/sqlite/view_sqlite.h"

#define OK(call)                                                                                                       \
	do {                                                                                                           \
		if ((call) != 0)                                                                                       \
			CHECK_FAIL("%s: %s", #call, fault.text);                                                       \
	} while (0)

static const char account_rules[] =
	"return { name = 'account', initial = function() return {} end, commands = {}, events = {"
	" Opened = { data = { number = 'string' }, apply = function(s) return s end },"
	" Moved = { data = { ref = 'string', amount = 'integer' }, apply = function(s) return s end },"
	" Closed = { data = {}, apply = function(s) return s end } } }";
static const char shop_rules[] = "return { name = 'shop', initial = function() return {} end, commands = {}, events = {"
				 " Sold = { data = {}, apply = function(s) return s end } } }";
/* Accounts: the stream is the key. Moves: the key is another. */
static const char reports_rules[] =
	"return { name = 'reports', tables = {"
	" Accounts = { key = { 'Id' }, stream_column = 'Id', columns = { Id = 'text', Total = 'integer', Number = "
	"'text' },"
	"   indexes = { { 'Number', unique = true } } },"
	" Moves = { key = { 'Ref' }, stream_column = 'Account',"
	"   columns = { Ref = 'text', Account = 'text', Amount = 'integer', Nth = 'integer' } } },"
	"on = {"
	" Opened = function(view, d, m) view.Accounts:insert { Id = m.stream_id, Total = 0, Number = d.number } end,"
	" Moved = function(view, d, m)"
	"   view.Accounts:add({ Id = m.stream_id }, { Total = d.amount })"
	"   local nth = view.Moves:count { where = { Account = m.stream_id } }"
	"   view.Moves:put { Ref = d.ref, Account = m.stream_id, Amount = d.amount, Nth = nth } end,"
	" Closed = function(view, _, m)"
	"   view.Accounts:delete { Id = m.stream_id }"
	"   view.Moves:delete_where { Account = m.stream_id } end } }";
static const char totals_rules[] = "return { name = 'totals', tables = {"
				   " Totals = { key = { 'Id' }, columns = { Id = 'text', Count = 'integer' } } },"
				   "on = { Moved = function(view) view.Totals:add('all', { Count = 1 }) end } }";

static struct fault fault;
static struct arena arena;
static struct store *store;
static struct script_program *program;
static struct view *view;
static struct projector *projector;
static char folder[] = "/tmp/moonlog-part-XXXXXX";
static unsigned opened;

static int
load(const char *reports)
{
	const char *const texts[][2] = { { "account.lua", account_rules },
					 { "reports.lua", reports },
					 { "shop.lua", shop_rules },
					 { "totals.lua", totals_rules } };
	struct source_file items[countof(texts)];
	const struct script_limits limits = { 20000, 20000, 20000, 20000, 20000 };
	const struct script_options options = { .limits = limits };
	for (size_t i = 0; i < countof(texts); i++) {
		items[i] = (struct source_file){ .path = slice_text(texts[i][0]), .bytes = slice_text(texts[i][1]) };
		digest_of(items[i].bytes, &items[i].hash);
	}
	const struct source_set set = { .domain = SLICE("bank"), .items = items, .count = countof(texts) };
	return script_load(moon_ops(), &set, &options, &program, &fault);
}

static void
run(void)
{
	while (projector_step(projector))
		;
}

static void
begin(const char *reports, bool sqlite)
{
	char path[100];
	log_setup(2, LOG_OFF, LOG_LOGFMT);
	arena_init(&arena, SIZE_MAX);
	OK(load(reports));
	program->generation = 1;
	OK(memory_open(NULL, &store, &fault));
	if (opened == 0)
		CHECK(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/%u.db", folder, opened++);
	if (sqlite)
		OK(view_sqlite_open(path, false, program->tables, program->table_count, &view, &fault));
	else
		OK(view_memory_open(program->tables, program->table_count, &view, &fault));
	struct projector_options options = { .store = store, .view = view, .program = program, .batch_entries = 5 };
	OK(projector_open(&options, &projector, &fault));
}

static void
end(void)
{
	projector_close(projector);
	view_close(view);
	store_close(store);
	script_unload(program);
	arena_fini(&arena);
}

__attribute__((destructor)) static void
clean(void)
{
	char command[100];
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (opened != 0 && system(command) != 0)
		fprintf(stderr, "left behind: %s\n", folder);
}

static void
record(const char *stream, const char *type, const char *data)
{
	struct append_stream to = { slice_text(stream), { EXPECTED_ANY, 0 } };
	struct new_entry entry = { .kind = ENTRY_EVENT,
				   .schema_version = 1,
				   .type = slice_text(type),
				   .data = arena_copy(&arena, slice_text(data)) };
	struct append append = {
		.streams = &to, .stream_count = 1, .entries = &entry, .entry_count = 1, .generation = 1, .arena = &arena
	};
	struct append *group[] = { &append };
	entry_digest(&entry, to.name, append.generation, &append.provenance, &entry.digest);
	CHECK_INT(store_commit(store, group, 1, &fault), COMMIT_DONE);
}

static void
record_move(const char *stream, const char *ref, int amount)
{
	char data[100];
	snprintf(data, sizeof(data), "{\"amount\":%d,\"ref\":\"%s\"}", amount, ref);
	record(stream, "Moved", data);
}

static void
dump(struct view *of, struct buf *out)
{
	struct view_reader *reader;
	buf_init(out, 1 << 24);
	OK(view_reader_open(of, &reader, &fault));
	OK(view_reader_begin(reader, &fault));
	for (uint16_t table = 0; table < program->table_count; table++) {
		buf_text(out, "--\n");
		OK(view_dump(view_reader_rows(reader), table, out, &fault));
	}
	view_reader_close(reader);
}

/* What is in the view is what a fresh replay gives [I6]. */
static bool
equals_a_replay(void)
{
	struct view *fresh;
	struct projector *other;
	struct buf got, wanted;
	OK(view_memory_open(program->tables, program->table_count, &fresh, &fault));
	struct projector_options options = { .store = store, .view = fresh, .program = program };
	OK(projector_open(&options, &other, &fault));
	while (projector_step(other))
		;
	projector_close(other);
	dump(view, &got);
	dump(fresh, &wanted);
	bool equal = slice_equal(buf_slice(&got), buf_slice(&wanted));
	buf_fini(&got);
	buf_fini(&wanted);
	view_close(fresh);
	return equal;
}

static const struct projection_status *
status(void)
{
	struct projection_status *statuses;
	size_t count;
	OK(projector_status(projector, &arena, &statuses, &count, &fault));
	return slice_equal(statuses[0].name, SLICE("reports")) ? &statuses[0] : &statuses[1];
}

static int
order(const char *stream, const char *key)
{
	struct projection_part part = { .stream = slice_text(stream), .key = slice_text(key) };
	return projector_rebuild_part(projector, SLICE("reports"), &part, &fault);
}

static uint16_t
table_number(const char *name)
{
	for (uint16_t i = 0; i < program->table_count; i++)
		if (slice_equal(program->tables[i].name, slice_text(name)))
			return i;
	CHECK_FAIL("no table %s", name);
}

/* Wrong rows, as nobody's events made them, of one stream. */
static void
spoil(const char *id)
{
	struct view_checkpoint checkpoint = { .projection = SLICE("spoiler"), .position = 1 };
	struct cell key = { .kind = CELL_TEXT, .text = slice_text(id) };
	struct cell cells[] = { { .kind = CELL_UNSET },
				{ .kind = CELL_UNSET },
				{ .kind = CELL_INTEGER, .integer = 7 } };
	struct filter filter = { .op = FILTER_EQ, .value = key };
	uint64_t removed;
	OK(view_begin(view, &fault));
	const struct row_port *rows = view_rows(view);
	/* Columns lie in the order of their names: Id, Number, Total; Account, Amount, Nth, Ref. */
	OK(rows->add(rows->self, table_number("Accounts"), &key, &(struct row){ cells }, &fault));
	OK(rows->remove_where(rows->self, table_number("Moves"), &filter, 1, &removed, &fault));
	OK(view_commit(view, &checkpoint, &fault));
}

static void
record_story(void)
{
	record("bank.account/a", "Opened", "{\"number\":\"1\"}");
	record("bank.account/b", "Opened", "{\"number\":\"2\"}");
	for (int i = 0; i < 30; i++) {
		char ref[20];
		snprintf(ref, sizeof(ref), "r%d", i);
		record_move(i % 2 ? "bank.account/a" : "bank.account/b", ref, i);
	}
	record("bank.shop/a", "Sold", "{}");
	run();
}

#define BOTH_ROOMS for (int sqlite = 0; sqlite < 2; sqlite++)

TEST(the_rows_of_one_stream_are_made_anew)
{
	BOTH_ROOMS
	{
		begin(reports_rules, sqlite);
		record_story();
		CHECK(equals_a_replay());
		spoil("a");
		CHECK(!equals_a_replay());
		OK(order("bank.account/a", ""));
		CHECK_INT(status()->state, PROJECTION_CATCHING_UP);
		run();
		CHECK_INT(status()->state, PROJECTION_LIVE);
		CHECK_SLICE(status()->note, "rebuilt the rows of a: 16 events, 1 rows before, 16 now");
		CHECK(!status()->note_failed);
		CHECK(equals_a_replay());
		/* Only that stream: the other's wrong rows stay until it is named. */
		spoil("a");
		spoil("b");
		OK(order("a", ""));
		run();
		CHECK(!equals_a_replay());
		OK(order("b", ""));
		run();
		CHECK(equals_a_replay());
		record_move("bank.account/a", "later", 5);
		run();
		CHECK(equals_a_replay());
		end();
	}
}

TEST(a_key_leads_to_its_stream)
{
	BOTH_ROOMS
	{
		begin(reports_rules, sqlite);
		record_story();
		spoil("a");
		OK(order("", "{\"Id\":\"a\"}"));
		run();
		CHECK(equals_a_replay());
		OK(order("", "{\"Ref\":\"r7\"}"));
		run();
		CHECK(strstr(status()->note.data, "the rows of a: 16 events") != NULL);
		/* A row that is gone names no stream; nothing is changed. */
		spoil("a");
		OK(order("", "{\"Ref\":\"r7\"}"));
		run();
		CHECK(status()->note_failed);
		CHECK(strstr(status()->note.data, "Moves has no row of this key") != NULL);
		CHECK_INT(status()->state, PROJECTION_LIVE);
		CHECK(!equals_a_replay());
		end();
	}
}

TEST(a_stream_without_events_loses_its_rows)
{
	begin(reports_rules, true);
	record_story();
	struct view_checkpoint checkpoint = { .projection = SLICE("spoiler"), .position = 1 };
	struct cell cells[] = { { .kind = CELL_TEXT, .text = SLICE("ghost") },
				{ .kind = CELL_TEXT, .text = SLICE("9") },
				{ .kind = CELL_INTEGER } };
	OK(view_begin(view, &fault));
	OK(view_rows(view)->insert(view_rows(view)->self, table_number("Accounts"), &(struct row){ cells }, &fault));
	OK(view_commit(view, &checkpoint, &fault));
	OK(order("ghost", ""));
	run();
	CHECK_SLICE(status()->note, "rebuilt the rows of ghost: 0 events, 1 rows before, 0 now");
	CHECK(equals_a_replay());
	end();
}

TEST(only_what_the_projection_has_seen_is_replayed)
{
	begin(reports_rules, true);
	record_story();
	projector_pause_at(projector, store_head(store));
	run();
	record_move("bank.account/a", "unseen", 1000);
	projector_resume(projector);
	spoil("a");
	OK(order("a", ""));
	/* The order comes first, then the entry that it must not have taken. */
	run();
	CHECK(strstr(status()->note.data, "16 events") != NULL);
	CHECK(equals_a_replay());
	end();
}

TEST(what_cannot_be_done_is_refused_at_once)
{
	struct projection_part part = { .stream = SLICE("a") };
	begin(reports_rules, false);
	record_story();
	CHECK_INT(projector_rebuild_part(projector, SLICE("totals"), &part, &fault), -1);
	CHECK_TEXT(fault.code, "not_by_stream");
	CHECK_INT(order("bank.shop/a", ""), -1);
	CHECK_TEXT(fault.code, "bad_part");
	CHECK(strstr(fault.text, "bank.account/ID") != NULL);
	CHECK_INT(order("", "{\"Id\":1}"), -1);
	CHECK_TEXT(fault.code, "bad_part");
	CHECK_INT(order("", "{\"Id\":\"a\",\"Ref\":\"r1\"}"), -1);
	CHECK_TEXT(fault.code, "bad_part");
	CHECK_INT(order("", "{"), -1);
	CHECK_TEXT(fault.code, "bad_json");
	OK(order("a", ""));
	CHECK_INT(order("b", ""), -1);
	CHECK_TEXT(fault.code, "part_pending");
	end();
}

/* Both the stream's own row and another's can be reached by these; only the first may be. */
TEST(a_handler_that_reaches_for_another_streams_row_is_stopped)
{
	static const char *const reaches[] = {
		"view.Accounts:get 'b'",
		"view.Moves:get 'rb'",
		"view.Moves:put { Ref = 'rb', Account = m.stream_id, Amount = 1, Nth = 0 }",
		"view.Moves:insert { Ref = 'x', Account = 'b', Amount = 1, Nth = 0 }",
		"view.Moves:insert { Ref = 'rb', Account = m.stream_id, Amount = 1, Nth = 0 }",
		"view.Moves:update({ Ref = 'rb' }, { Amount = 2 })",
		"view.Moves:update({ Ref = 'ra' }, { Account = 'b' })",
		"view.Moves:add({ Ref = 'rb' }, { Amount = 2 })",
		"view.Moves:delete { Ref = 'rb' }",
		"view.Moves:find {}",
		"view.Moves:count { where = { Account = { '>=', m.stream_id } } }",
		"view.Moves:delete_where { Account = 'b' }",
		"view.Accounts:update({ Id = m.stream_id }, { Number = '2' })",
	};
	char rules[2000];
	for (size_t i = 0; i < countof(reaches); i++) {
		const char *closed = strstr(reports_rules, " Closed = ");
		snprintf(rules, sizeof(rules), "%.*s Closed = function(view, _, m) pcall(function() %s end) end } }",
			 (int)(closed - reports_rules), reports_rules, reaches[i]);
		begin(rules, i % 2);
		record("bank.account/a", "Opened", "{\"number\":\"1\"}");
		record("bank.account/b", "Opened", "{\"number\":\"2\"}");
		record_move("bank.account/a", "ra", 1);
		record_move("bank.account/b", "rb", 1);
		record("bank.account/a", "Closed", "{}");
		run();
		CHECK_INT(status()->state, PROJECTION_STOPPED);
		CHECK_INT(status()->poison, 5);
		bool told = strstr(status()->reason.data, "stream_column") != NULL ||
			    strstr(status()->reason.data, "there is a row with this") != NULL;
		if (!told)
			CHECK_FAIL("%s: %s", reaches[i], status()->reason.data);
		end();
	}
}

TEST(what_the_declaration_needs_is_checked_at_load)
{
	static const struct {
		const char *tables;
		const char *on;
		const char *reason;
	} cases[] = {
		{ "A = { key = { 'Id' }, stream_column = 'None', columns = { Id = 'text' } }", "Moved",
		  "the table has no column 'None'" },
		{ "A = { key = { 'Id' }, stream_column = 'N', columns = { Id = 'text', N = 'integer' } }", "Moved",
		  "must be a text column" },
		{ "A = { key = { 'Id' }, stream_column = 'N', columns = { Id = 'text', N = 'text?' } }", "Moved",
		  "must be a text column that is never empty" },
		{ "A = { key = { 'Id' }, stream_column = 'Id', columns = { Id = 'text' } }, "
		  "B = { key = { 'Id' }, columns = { Id = 'text' } }",
		  "Moved", "table 'B' lacks it" },
		{ "A = { key = { 'Id' }, stream_column = 'Id', columns = { Id = 'text' } }", "Sold",
		  "events of 2 aggregates" },
	};
	for (size_t i = 0; i < countof(cases); i++) {
		char rules[1000];
		snprintf(rules, sizeof(rules),
			 "return { name = 'reports', tables = { %s }, on = { Closed = function() end, %s = function() "
			 "end } }",
			 cases[i].tables, cases[i].on);
		CHECK_INT(load(rules), -1);
		if (strstr(fault.text, cases[i].reason) == NULL || strstr(fault.text, "reports.lua:1") == NULL)
			CHECK_FAIL("%s", fault.text);
	}
}

static uint64_t dice = 99;

static unsigned
roll(unsigned sides)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(dice >> 33) % sides;
}

TEST(random_histories_equal_a_replay_after_any_rebuild)
{
	for (int round = 0; round < 10; round++) {
		bool open[5] = { false };
		begin(reports_rules, round % 2);
		for (int i = 0; i < 200; i++) {
			char stream[30], text[40];
			unsigned who = roll(5);
			snprintf(stream, sizeof(stream), "bank.account/s%u", who);
			if (!open[who]) {
				snprintf(text, sizeof(text), "{\"number\":\"%u\"}", who);
				record(stream, "Opened", text);
				open[who] = true;
			} else if (roll(20) == 0) {
				record(stream, "Closed", "{}");
				open[who] = false;
			} else {
				snprintf(text, sizeof(text), "s%u-%u", who, roll(20));
				record_move(stream, text, (int)roll(100));
			}
			if (roll(10) == 0)
				run();
			if (roll(20) == 0) {
				snprintf(text, sizeof(text), "s%u", roll(5));
				OK(order(text, ""));
				run();
				CHECK(!status()->note_failed);
			}
		}
		run();
		CHECK(equals_a_replay());
		end();
	}
}

TEST_MAIN()
