/* SPDX-License-Identifier: MIT */
/* Documents: commands on current state, of whose stream the newest event alone is read; and the timers they set. */
#include "core/timer.h"
#include "rig.h"

#include "support/check.h"

static struct rig rig;
static struct arena arena;

static enum outcome_kind
ask_tank(const char *id, const char *command, const char *body, struct ask *ask)
{
	ask_init(ask, NULL, id, command, body);
	ask->command.aggregate = SLICE("tank");
	ask_run(&rig, ask);
	return ask->command.outcome.kind;
}

static void
fill(const char *id, const char *body, const char *reply)
{
	struct ask ask;
	CHECK_INT(ask_tank(id, "Fill", body, &ask), OUTCOME_ACCEPTED);
	CHECK_SLICE(ask.command.outcome.reply, reply);
	ask_fini(&ask);
}

static void
check_state(const char *stream, stream_version at, const char *wanted)
{
	struct engine_read read = {
		.kind = READ_STATE, .stream = slice_text(stream), .has_at_version = at != 0, .at_version = at
	};
	struct buf out;
	buf_init(&out, 1 << 20);
	CHECK_INT(read_once(&rig, &read, &arena, &out), OUTCOME_ACCEPTED);
	CHECK(memmem(out.data, out.size, wanted, strlen(wanted)) != NULL ||
	      (fprintf(stderr, "%.*s\n", (int)out.size, out.data), 0));
	buf_fini(&out);
}

/* An event of the stream, as it is. */
static void
plant(const char *stream, stream_version version, const char *data)
{
	const struct append_stream streams = { slice_text(stream), { EXPECTED_EXACTLY, version - 1 } };
	struct new_entry entry = {
		.kind = ENTRY_EVENT, .schema_version = 1, .type = SLICE("Saved"), .data = slice_text(data)
	};
	struct append append = {
		.streams = &streams, .stream_count = 1, .entries = &entry, .entry_count = 1, .arena = &arena
	};
	struct append *group[] = { &append };
	struct fault fault;

	entry_digest(&entry, streams.name, 0, &append.provenance, &entry.digest);
	CHECK_INT(store_commit(rig.store, group, 1, &fault), COMMIT_DONE);
	CHECK_INT(append.answer, APPEND_DONE);
}

static void
commands_on_current_state(enum rig_store kind)
{
	struct ask ask;

	arena_init(&arena, 16 << 20);
	rig_open(&rig, kind, NULL);
	CHECK_INT(ask_tank("a", "Tell", "{}", &ask), OUTCOME_MISSING);
	ask_fini(&ask);
	fill("a", "{\"by\":3}", "{\"level\":3}");
	fill("a", "{\"by\":4,\"note\":\"n\"}", "{\"level\":7}");
	check_state("tally.tank/a", 0, "{\"level\":7,\"note\":\"n\"}");
	check_state("tally.tank/a", 1, "{\"level\":3}");
	CHECK_INT(ask_tank("a", "Tell", "{}", &ask), OUTCOME_ACCEPTED);
	CHECK_INT(ask.command.outcome.version, 2); /* a message does not move the stream */
	CHECK_INT(store_head(rig.store), 3);
	ask_fini(&ask);
	CHECK_INT(ask_tank("a", "Fill", "{\"by\":1000000}", &ask), OUTCOME_REFUSED);
	ask_fini(&ask);
	fill("a", "{\"by\":1}", "{\"level\":8}");
	rig_close_engine(&rig);
	/* Whatever came before does not matter. */
	plant("tally.tank/b", 1, "{\"level\":");
	plant("tally.tank/b", 2, "{\"level\":40}");
	rig_reopen(&rig, NULL);
	fill("a", "{\"by\":1}", "{\"level\":9}");
	fill("b", "{\"by\":2}", "{\"level\":42}");
	check_state("tally.tank/b", 2, "{\"level\":40}");
	rig_close(&rig);
	arena_fini(&arena);
}

TEST(commands_on_current_state_in_memory)
{
	commands_on_current_state(RIG_MEMORY);
}

TEST(commands_on_current_state_in_sqlite)
{
	commands_on_current_state(RIG_SQLITE);
}

static size_t
pending(struct timer *timer)
{
	struct store_reader *reader;
	struct record *records;
	struct fault fault;
	size_t count;

	CHECK_INT(store_reader_open(rig.store, &reader, &fault), 0);
	CHECK_INT(store_list_records(reader, timer_space(SLICE("tally"), &arena), SLICE_NONE, 10, &arena, &records,
				     &count, &fault),
		  0);
	if (count != 0)
		CHECK(timer_parse(&records[0], timer));
	store_reader_close(reader);
	return count;
}

TEST(timers_of_commands_are_in_the_same_commit) /* [I3] */
{
	struct timer timer;

	arena_init(&arena, 16 << 20);
	rig_open(&rig, RIG_SQLITE, NULL);
	fill("a", "{\"by\":3}", "{\"level\":3}");
	CHECK_INT(pending(&timer), 0);
	fill("a", "{\"by\":3,\"note\":\"drain\"}", "{\"level\":6}");
	CHECK_INT(pending(&timer), 1);
	CHECK_SLICE(timer.stream, "tally.tank/a");
	CHECK_SLICE(timer.name, "drain");
	CHECK_SLICE(timer.data, "{\"why\":\"note\"}");
	CHECK_INT(store_head(rig.store), 3); /* Saved, Saved, the timer */
	fill("a", "{\"by\":3,\"note\":\"keep\"}", "{\"level\":9}");
	CHECK_INT(pending(&timer), 0);
	rig_close(&rig);
	arena_fini(&arena);
}

TEST_MAIN()
