/* SPDX-License-Identifier: MIT */
/* Snapshots: written by count, used, checked, never believed over the log. */
#include <stdlib.h>

#include "core/inside.h"
#include "core/snapshot.h"
#include "rig.h"

#include "support/check.h"

static struct rig rig;
static struct arena arena;
static const struct engine_limits eager = { .workers = 1, .snapshot_events = 10, .snapshot_check_us = 1000 };
static const struct engine_limits trusting = { .workers = 1, .snapshot_events = 10, .snapshot_check_us = 3600000000 };

static void
run(const char *id, const char *command, const char *body)
{
	struct ask ask;

	CHECK_INT(ask_once(&rig, &ask, id, command, body), OUTCOME_ACCEPTED);
	ask_fini(&ask);
}

/*
 * One Opened and `count` - 1 Added of 1. The counter's fold reads what only the commit gives, so its state is loaded
 * for each command; that of 11 events at version 10 last.
 */
static void
fill(const char *id, int count)
{
	char body[32];

	snprintf(body, sizeof(body), "{\"name\":\"%s\"}", id);
	run(id, "Open", body);
	for (int i = 1; i < count; i++)
		run(id, "Add", "{\"by\":1}");
}

static bool
read_value(const char *id, struct slice *value)
{
	struct store_reader *reader;
	struct fault fault;
	bool found;

	CHECK_INT(store_reader_open(rig.store, &reader, &fault), 0);
	CHECK_INT(store_read_record(reader, SLICE("snapshot/tally.counter"), slice_text(id), &arena, value, &found,
				    &fault),
		  0);
	store_reader_close(reader);
	return found;
}

static stream_version
kept_version(const char *id)
{
	struct slice value;
	struct snapshot snapshot;
	char stream[64];

	if (!read_value(id, &value))
		return 0;
	snprintf(stream, sizeof(stream), "tally.counter/%s", id);
	snapshot_parse(slice_text(stream), value, &snapshot);
	CHECK(snapshot.sound);
	return snapshot.version;
}

/* Replaces a snapshot by one that is sound but says something else. Only while no engine runs. */
static void
plant(const char *id, const char *state, uint32_t state_version)
{
	struct slice value;
	struct snapshot snapshot;
	struct script_aggregate aggregate = { .state_version = state_version };
	struct append append, *group[] = { &append };
	struct record_write record;
	struct fault fault;
	char stream[64];
	struct buf buf;

	CHECK(read_value(id, &value));
	snprintf(stream, sizeof(stream), "tally.counter/%s", id);
	snapshot_parse(slice_text(stream), value, &snapshot);
	aggregate.fold_hash = snapshot.fold;
	buf_init(&buf, (size_t)1 << 20);
	snapshot_write(&aggregate, slice_text(stream), snapshot.version, slice_text(state), &buf);
	record = (struct record_write){ RECORD_PUT, SLICE("snapshot/tally.counter"), slice_text(id), buf_slice(&buf),
					SLICE_NONE };
	append = (struct append){ .records = &record, .record_count = 1, .arena = &arena };
	CHECK_INT(store_commit(rig.store, group, 1, &fault), COMMIT_DONE);
	CHECK_INT(append.answer, APPEND_DONE);
	buf_fini(&buf);
}

static void
set_up(const struct engine_limits *limits)
{
	arena_init(&arena, (size_t)16 << 20);
	rig_open(&rig, RIG_MEMORY, limits);
}

static void
tear_down(void)
{
	rig_close(&rig);
	arena_fini(&arena);
}

static void
wait_for(_Atomic uint64_t *count, uint64_t wanted)
{
	struct mailbox quiet;

	mailbox_init(&quiet, 0, NULL);
	for (int i = 0; i < 10000 && atomic_load(count) < wanted; i++)
		mailbox_wait(&quiet, 1000000);
	mailbox_fini(&quiet);
	CHECK(atomic_load(count) >= wanted);
}

TEST(a_snapshot_is_written_every_so_many_events)
{
	set_up(&trusting);
	fill("a", 9);
	rig_close_engine(&rig);
	CHECK_INT(kept_version("a"), 0);
	rig_reopen(&rig, &trusting);
	/* Offered by the load that finds ten events without one, so by the command after; waited for each time, because
	 * until it is written the loads that follow offer one too. */
	for (int i = 0; i < 2; i++)
		run("a", "Add", "{\"by\":1}");
	wait_for(&rig.engine->keeper.written, 1);
	CHECK_INT(kept_version("a"), 10);
	for (int i = 0; i < 9; i++)
		run("a", "Add", "{\"by\":1}");
	CHECK_INT(kept_version("a"), 10);
	run("a", "Add", "{\"by\":1}");
	wait_for(&rig.engine->keeper.written, 2);
	CHECK_INT(kept_version("a"), 20);
	rig_close_engine(&rig);
	rig_reopen(&rig, &trusting);
	CHECK_INT(rig_value(&rig, "a"), 20);
	tear_down();
}

TEST(a_long_stream_without_one_gets_one_when_it_is_loaded)
{
	const struct engine_limits never = { .workers = 1, .snapshot_events = UINT32_MAX };

	set_up(&never);
	fill("a", 25);
	rig_close_engine(&rig);
	CHECK_INT(kept_version("a"), 0);
	rig_reopen(&rig, &trusting);
	run("a", "Add", "{\"by\":1}");
	rig_close_engine(&rig);
	CHECK_INT(kept_version("a"), 25);
	rig_reopen(&rig, &trusting);
	tear_down();
}

/* It is used: a planted one decides, as long as nobody has compared it. */
TEST(commands_begin_from_a_snapshot)
{
	struct ask ask;

	set_up(&trusting);
	fill("a", 11);
	rig_close_engine(&rig);
	plant("a", "{\"name\":\"a\",\"seen\":9,\"value\":1000}", 1);
	rig_reopen(&rig, &trusting);
	CHECK_INT(ask_once(&rig, &ask, "a", "Add", "{\"by\":-500}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	tear_down();
}

TEST(a_wrong_snapshot_is_found_removed_and_not_served_on)
{
	struct ask ask;
	char name[STREAM_NAME_MAX + 1];
	struct slice value;

	set_up(&trusting);
	fill("a", 11);
	fill("b", 11);
	rig_close_engine(&rig);
	plant("a", "{\"name\":\"a\",\"seen\":9,\"value\":1000}", 1);
	rig_reopen(&rig, &eager);
	wait_for(&rig.engine->keeper.wrong, 1);
	wait_for(&rig.engine->keeper.checked, 3);
	keeper_last_wrong(&rig.engine->keeper, name);
	CHECK_SLICE(slice_text(name), "tally.counter/a");
	CHECK(!read_value("a", &value));
	CHECK_INT(kept_version("b"), 10);
	CHECK_INT(ask_once(&rig, &ask, "a", "Add", "{\"by\":-500}"), OUTCOME_REFUSED);
	ask_fini(&ask);
	CHECK_INT(rig_value(&rig, "a"), 10);
	CHECK_INT(atomic_load(&rig.engine->keeper.wrong), 1);
	tear_down();
}

/* Also when a worker has taken it into its cache before it was compared. */
TEST(a_state_that_came_from_a_wrong_snapshot_is_forgotten)
{
	struct ask ask;

	set_up(&trusting);
	fill("a", 11);
	rig_close_engine(&rig);
	plant("a", "{\"name\":\"a\",\"seen\":9,\"value\":1000}", 1);
	struct engine_limits soon = eager;
	soon.snapshot_check_us = 300000;
	rig_reopen(&rig, &soon);
	run("a", "Add", "{\"by\":1}"); /* the state is now in the cache, and off by 991 */
	wait_for(&rig.engine->keeper.wrong, 1);
	for (int i = 0; i < 1000; i++) { /* the owner hears of it a moment after it was counted */
		CHECK_INT(rig_value(&rig, "a"), 11);
		enum outcome_kind kind = ask_once(&rig, &ask, "a", "Move", "{\"to\":\"a2\",\"by\":600}");
		bool refused = kind == OUTCOME_REFUSED || kind == OUTCOME_MISSING;
		ask_fini(&ask);
		CHECK(refused);
		if (ask_once(&rig, &ask, "a", "Add", "{\"by\":-500}") == OUTCOME_REFUSED)
			break;
		ask_fini(&ask);
		run("a", "Add", "{\"by\":500}");
		CHECK(i < 999);
	}
	ask_fini(&ask);
	tear_down();
}

TEST(a_snapshot_of_another_state_version_is_not_used)
{
	struct ask ask;
	struct slice value;

	set_up(&trusting);
	fill("a", 11);
	rig_close_engine(&rig);
	plant("a", "{\"name\":\"a\",\"seen\":9,\"value\":1000}", 7);
	rig_reopen(&rig, &trusting);
	CHECK_INT(ask_once(&rig, &ask, "a", "Add", "{\"by\":-500}"), OUTCOME_REFUSED);
	ask_fini(&ask);
	rig_close_engine(&rig);
	plant("a", "{\"name\":\"a\",\"seen\":9,\"value\":1000}", 0);
	rig_reopen(&rig, &eager);
	wait_for(&rig.engine->keeper.stale, 1);
	CHECK(!read_value("a", &value));
	tear_down();
}

TEST(a_damaged_snapshot_is_no_snapshot)
{
	static const char *const values[] = { "", "1 10 1", "1 10 1 00 00\n{}", "2 10 1 aa bb\n{}", "garbage" };
	struct snapshot snapshot;
	struct slice value;

	set_up(&trusting);
	fill("a", 11);
	rig_close_engine(&rig);
	CHECK(read_value("a", &value));
	snapshot_parse(SLICE("tally.counter/a"), value, &snapshot);
	CHECK(snapshot.sound);
	snapshot_parse(SLICE("tally.counter/b"), value, &snapshot);
	CHECK(!snapshot.sound);
	for (size_t i = 0; i < countof(values); i++) {
		snapshot_parse(SLICE("tally.counter/a"), slice_text(values[i]), &snapshot);
		CHECK(!snapshot.sound);
	}
	char *bent = arena_text(&arena, value);
	bent[value.size - 2] ^= 1;
	snapshot_parse(SLICE("tally.counter/a"), slice_from(bent, value.size), &snapshot);
	CHECK(!snapshot.sound);
	rig_reopen(&rig, &trusting);
	tear_down();
}

TEST_MAIN()
