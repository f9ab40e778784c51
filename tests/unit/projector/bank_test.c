/* SPDX-License-Identifier: MIT */
/* The shipped bank's projection with the parts it runs with: Lua, a store, both view rooms. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "core/domain.h"
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

static struct fault fault;
static struct arena arena;
static struct store *store;
static struct script_program *program;
static char folder[] = "/tmp/moonlog-bank-XXXXXX";

static void
begin(void)
{
	struct source_set sources;
	struct script_options options = { 0 };
	log_setup(2, LOG_OFF, LOG_LOGFMT);
	arena_init(&arena, SIZE_MAX);
	OK(domain_read_folder("domains/banking", &arena, &sources, &fault));
	OK(script_load(moon_ops(), &sources, &options, &program, &fault));
	program->generation = 1;
	OK(memory_open(NULL, &store, &fault));
}

static void
end(void)
{
	store_close(store);
	script_unload(program);
	arena_fini(&arena);
}

/* Records one event in one commit. */
static log_position
record(const char *stream, const char *type, uint32_t schema_version, struct slice data)
{
	struct append_stream to = { slice_text(stream), { EXPECTED_ANY, 0 } };
	struct new_entry entry = {
		.kind = ENTRY_EVENT, .schema_version = schema_version, .type = slice_text(type), .data = data
	};
	struct append append = {
		.streams = &to, .stream_count = 1, .entries = &entry, .entry_count = 1, .generation = 1, .arena = &arena
	};
	struct append *group[] = { &append };
	entry_digest(&entry, to.name, append.generation, &append.provenance, &entry.digest);
	CHECK_INT(store_commit(store, group, 1, &fault), COMMIT_DONE);
	CHECK_INT(append.answer, APPEND_DONE);
	return append.last;
}

static log_position
open_account(const char *stream, const char *number)
{
	return record(stream, "AccountCreated", 2,
		      arena_format(&arena,
				   "{\"accountName\":\"Main\",\"accountNumber\":\"%s\",\"currency\":\"EUR\","
				   "\"initialBalance\":0,\"ownerName\":\"Some Body\"}",
				   number));
}

static log_position
move(const char *stream, const char *type, unsigned id, int opening, int closing)
{
	return record(stream, type, 2,
		      arena_format(&arena,
				   "{\"amount\":%d,\"currency\":\"EUR\",\"transaction\":{\"closingBalance\":%d,"
				   "\"date\":1700000000000000,\"description\":\"moved\",\"openingBalance\":%d,"
				   "\"transactionId\":\"00000000-0000-4000-8000-%012u\"}}",
				   closing > opening ? closing - opening : opening - closing, closing, opening, id));
}

static struct projector *
follow(struct view *view)
{
	struct projector_options options = { .store = store, .view = view, .program = program };
	struct projector *projector;
	OK(projector_open(&options, &projector, &fault));
	while (projector_step(projector))
		;
	return projector;
}

static const struct projection_status *
status_of(struct projector *projector)
{
	struct projection_status *statuses;
	size_t count;
	OK(projector_status(projector, &arena, &statuses, &count, &fault));
	CHECK_INT(count, 1);
	return &statuses[0];
}

static void
dump_all(struct view *view, struct buf *out)
{
	struct view_reader *reader;
	OK(view_reader_open(view, &reader, &fault));
	OK(view_reader_begin(reader, &fault));
	for (uint16_t table = 0; table < program->table_count; table++)
		OK(view_dump(view_reader_rows(reader), table, out, &fault));
	view_reader_end(reader);
	view_reader_close(reader);
}

static bool
holds(const struct buf *text, const char *part)
{
	return memmem(text->data, text->size, part, strlen(part)) != NULL;
}

TEST(rows_in_a_file_equal_a_replay_in_memory)
{
	struct view *views[2];
	struct buf dumps[2];
	char path[100];
	begin();
	open_account("banking.account/a", "4711");
	open_account("banking.account/b", "4712");
	for (unsigned i = 0; i < 500; i++)
		move(i % 3 == 0 ? "banking.account/b" : "banking.account/a",
		     i % 2 ? "MoneyWithdrawn" : "MoneyDeposited", i, (int)i * 10, (int)i * 10 + (i % 2 ? -5 : 5));
	record("banking.account/b", "AccountFrozen", 1, SLICE("{}"));
	CHECK(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/banking.db", folder);
	OK(view_sqlite_open(path, false, program->tables, program->table_count, &views[0], &fault));
	OK(view_memory_open(program->tables, program->table_count, &views[1], &fault));
	for (int i = 0; i < 2; i++) {
		struct projector *projector = follow(views[i]);
		CHECK_INT(projector_position(projector), store_head(store));
		projector_close(projector);
		buf_init(&dumps[i], 1 << 24);
		dump_all(views[i], &dumps[i]);
		view_close(views[i]);
	}
	CHECK(slice_equal(buf_slice(&dumps[0]), buf_slice(&dumps[1])));
	CHECK(holds(&dumps[0], "\"frozen\"") && holds(&dumps[0], "\"4712\""));
	CHECK(holds(&dumps[0], "\"00000000-0000-4000-8000-000000000499\""));
	buf_fini(&dumps[0]);
	buf_fini(&dumps[1]);
	unlink(path);
	rmdir(folder);
	end();
}

TEST(an_event_that_the_rules_cannot_project_is_poison)
{
	struct view *view;
	begin();
	open_account("banking.account/a", "4711");
	log_position stray = move("banking.account/none", "MoneyDeposited", 1, 0, 5);
	move("banking.account/a", "MoneyDeposited", 2, 0, 7);
	OK(view_memory_open(program->tables, program->table_count, &view, &fault));
	struct projector *projector = follow(view);
	CHECK_INT(status_of(projector)->state, PROJECTION_STOPPED);
	CHECK_INT(status_of(projector)->poison, stray);
	CHECK(strstr(status_of(projector)->reason.data, "MoneyDeposited of banking.account/none") != NULL);
	CHECK(strstr(status_of(projector)->reason.data, "reports.lua:") != NULL);
	OK(projector_order(projector, SLICE("reports"), PROJECTION_SKIP, &fault));
	/* The same transaction again, under another account. */
	log_position again = move("banking.account/a", "MoneyDeposited", 2, 7, 9);
	while (projector_step(projector))
		;
	CHECK_INT(status_of(projector)->poison, again);
	CHECK(strstr(status_of(projector)->reason.data, "table Transactions") != NULL);
	CHECK_INT(status_of(projector)->position, again - 1);
	projector_close(projector);
	view_close(view);
	end();
}

TEST_MAIN()
