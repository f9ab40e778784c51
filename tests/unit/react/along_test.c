/* SPDX-License-Identifier: MIT */
/* Real rules, a real engine, messages along the log: from a command to what reactors and timers made of it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/local/local.h"
#include "core/engine.h"
#include "script/lua/lua_room.h"
#include "store/sqlite/sqlite.h"
#include "support/check.h"

static struct {
	char folder[64];
	struct store *store;
	struct engine *engine;
	struct arena arena;
} rig;

static void
start(void)
{
	struct sqlite_options options = { .path = rig.folder, .create = true };
	struct engine_limits limits = { .script = { 20000, 20000, 20000, 20000, 20000 } };
	struct engine_parts parts = { .script = moon_ops() };
	struct fault fault;

	CHECK_INT(sqlite_open(&options, &rig.store, &fault), 0);
	parts.store = rig.store;
	parts.along = local_source(rig.store);
	CHECK_INT(engine_open(&parts, &limits, &rig.engine, &fault), 0);
	if (engine_add_domain(rig.engine, "tests/unit/react/shop", &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	CHECK_INT(engine_start(rig.engine, &fault), 0);
}

static void
stop(void)
{
	CHECK(engine_drain(rig.engine, INT64_MAX));
	engine_close(rig.engine);
	store_close(rig.store);
}

static void
begin(void)
{
	snprintf(rig.folder, sizeof(rig.folder), "/tmp/moonlog-react-XXXXXX");
	CHECK(mkdtemp(rig.folder) != NULL);
	arena_init(&rig.arena, (size_t)1 << 28);
	start();
}

static void
end(void)
{
	char command[128];

	stop();
	arena_fini(&rig.arena);
	snprintf(command, sizeof(command), "rm -rf %s", rig.folder);
	CHECK_INT(system(command), 0);
}

static struct mailbox answers;

static void
answered(struct engine_command *command)
{
	mailbox_give(&answers, &command->mail);
}

static enum outcome_kind
place(const char *id, const char *body)
{
	struct engine_command command = { .domain = SLICE("shop"),
					  .aggregate = SLICE("order"),
					  .command = SLICE("Place"),
					  .id = slice_text(id),
					  .body = slice_text(body),
					  .arena = &rig.arena,
					  .done = answered };

	mailbox_init(&answers, 0, NULL);
	if (engine_execute(rig.engine, &command) && mailbox_wait(&answers, -1) == NULL)
		abort();
	mailbox_fini(&answers);
	return command.outcome.kind;
}

/* Events of a stream. */
static size_t
count(const char *stream)
{
	struct store_reader *reader;
	struct entries entries = { 0 };
	stream_version version = 0;
	struct fault fault;

	CHECK_INT(store_reader_open(rig.store, &reader, &fault), 0);
	CHECK_INT(store_read_stream(reader, slice_text(stream), 1, (struct read_limit){ 100000, 0 }, &rig.arena,
				    &entries, &version, &fault),
		  0);
	store_reader_close(reader);
	return entries.count;
}

/* The log moves on until it holds; a minute at most. */
static bool
comes_to(const char *stream, size_t wanted)
{
	struct mailbox quiet;
	bool came = false;

	mailbox_init(&quiet, 0, NULL);
	for (int i = 0; i < 60000 && !came; i++) {
		came = count(stream) >= wanted;
		if (!came)
			mailbox_wait(&quiet, 1000000);
	}
	mailbox_fini(&quiet);
	return came && count(stream) == wanted;
}

TEST(a_command_is_reacted_to_along_the_log)
{
	char id[16];

	begin();
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "o%d", i);
		CHECK_INT(place(id, "{\"n\":2}"), OUTCOME_ACCEPTED);
	}
	CHECK(comes_to("shop.stock/main", 20));
	CHECK(comes_to("shop.stock/messages", 20));
	CHECK(comes_to("shop.stock/events", 20));
	stop();
	start();
	CHECK_INT(place("later", "{\"n\":3}"), OUTCOME_ACCEPTED);
	CHECK(comes_to("shop.stock/main", 21));
	CHECK(comes_to("shop.stock/messages", 21));
	end();
}

TEST(a_timer_of_an_aggregate_runs_its_command_once)
{
	begin();
	CHECK_INT(place("a", "{\"n\":1,\"wait\":0.02}"), OUTCOME_ACCEPTED);
	CHECK_INT(place("b", "{\"n\":1,\"wait\":3600}"), OUTCOME_ACCEPTED);
	CHECK(comes_to("shop.order/a", 2));
	stop();
	start();
	CHECK_INT(place("c", "{\"n\":1,\"wait\":0}"), OUTCOME_ACCEPTED);
	CHECK(comes_to("shop.order/c", 2));
	CHECK_INT(count("shop.order/a"), 2);
	CHECK_INT(count("shop.order/b"), 1);
	end();
}

TEST_MAIN()
