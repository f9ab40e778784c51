/* SPDX-License-Identifier: MIT */
/*
 * One command at a time: every outcome, idempotency [I5], unique keys, several streams [I3], dry runs; over both
 * stores.
 */
#include "rig.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "support/check.h"

static void
each_store(void (*test)(struct rig *rig))
{
	for (int kind = RIG_MEMORY; kind <= RIG_SQLITE; kind++) {
		struct rig rig;

		rig_open(&rig, (enum rig_store)kind, NULL);
		test(&rig);
		rig_close(&rig);
	}
}

static void
open_counter(struct rig *rig, const char *id)
{
	char body[64];
	struct ask ask;

	snprintf(body, sizeof(body), "{\"name\":\"%s\"}", id);
	CHECK_INT(ask_once(rig, &ask, id, "Open", body), OUTCOME_ACCEPTED);
	ask_fini(&ask);
}

static void
check_outcomes(struct rig *rig)
{
	struct ask ask;

	open_counter(rig, "a");
	CHECK_INT(ask_once(rig, &ask, "a", "Open", "{\"name\":\"b\"}"), OUTCOME_CONFLICT);
	CHECK_SLICE(ask.command.outcome.code, "stream_exists");
	CHECK_INT(ask.command.outcome.version, 1);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "a", "Add", "{\"by\":5}"), OUTCOME_ACCEPTED);
	CHECK_SLICE(ask.command.outcome.reply, "{\"value\":5}");
	CHECK_INT(ask.command.outcome.version, 2);
	CHECK_INT(ask.command.outcome.position, 2);
	CHECK_INT(ask.command.outcome.event_count, 1);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "a", "Add", "{\"by\":-6}"), OUTCOME_REFUSED);
	CHECK_SLICE(ask.command.outcome.code, "below_zero");
	CHECK_INT(ask.command.outcome.status, 422);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "b", "Add", "{\"by\":1}"), OUTCOME_MISSING);
	CHECK_SLICE(ask.command.outcome.code, "no_such_stream");
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "a", "Add", "{\"by\":\"x\"}"), OUTCOME_FAILED);
	CHECK_INT(ask.command.outcome.fault.class, FAULT_INPUT);
	CHECK_SLICE(ask.command.outcome.field, "by");
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "a", "Add", "{\"by\":1"), OUTCOME_FAILED);
	CHECK_INT(ask.command.outcome.fault.class, FAULT_INPUT);
	CHECK(ask.command.outcome.has_offset);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "a", "Raise", "{}"), OUTCOME_FAILED);
	CHECK_INT(ask.command.outcome.fault.class, FAULT_SCRIPT);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "a", "Nonsense", "{}"), OUTCOME_MISSING);
	CHECK_SLICE(ask.command.outcome.code, "no_such_command");
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "a/b", "Add", "{\"by\":1}"), OUTCOME_FAILED);
	CHECK_SLICE(ask.command.outcome.code, "bad_stream_id");
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "a", "Nothing", "{}"), OUTCOME_ACCEPTED);
	CHECK_INT(ask.command.outcome.version, 2);
	CHECK_INT(ask.command.outcome.event_count, 0);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "new", "Put", "{\"by\":7}"), OUTCOME_ACCEPTED);
	CHECK_INT(ask.command.outcome.version, 1);
	ask_fini(&ask);
	CHECK_INT(rig_value(rig, "a"), 5);
	CHECK_INT(rig_value(rig, "new"), 7);
	CHECK_INT(rig_value(rig, "none"), -1);
}

TEST(every_outcome)
{
	each_store(check_outcomes);
}

static void
check_refused_with_events(struct rig *rig)
{
	struct ask ask;

	open_counter(rig, "f");
	CHECK_INT(ask_once(rig, &ask, "f", "Fail", "{}"), OUTCOME_REFUSED);
	CHECK_SLICE(ask.command.outcome.code, "failed_for_good");
	CHECK_INT(ask.command.outcome.status, 418);
	CHECK_INT(ask.command.outcome.version, 2);
	CHECK_INT(ask.command.outcome.position, 2);
	ask_fini(&ask);
	/* With a key the refusal is the first answer, and stays it. */
	for (int i = 0; i < 2; i++) {
		ask_init(&ask, NULL, "f", "Fail", "{}");
		ask.command.idempotency_key = SLICE("once");
		ask_run(rig, &ask);
		CHECK_INT(ask.command.outcome.kind, OUTCOME_REFUSED);
		CHECK_SLICE(ask.command.outcome.code, "failed_for_good");
		CHECK_INT(ask.command.outcome.status, 418);
		CHECK_INT(ask.command.outcome.version, 3);
		ask_fini(&ask);
	}
}

TEST(a_refusal_may_record_events)
{
	each_store(check_refused_with_events);
}

static void
check_expectations(struct rig *rig)
{
	struct ask ask;

	open_counter(rig, "e");
	ask_init(&ask, NULL, "e", "Add", "{\"by\":1}");
	ask.command.has_expected = true;
	ask.command.expected = (struct expected){ EXPECTED_EXACTLY, 1 };
	ask_run(rig, &ask);
	CHECK_INT(ask.command.outcome.kind, OUTCOME_ACCEPTED);
	arena_clear(&ask.arena);
	ask_run(rig, &ask);
	CHECK_INT(ask.command.outcome.kind, OUTCOME_CONFLICT);
	CHECK_SLICE(ask.command.outcome.code, "version_conflict");
	CHECK_INT(ask.command.outcome.version, 2);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "e", "Add", "{\"by\":1,\"expectedVersion\":2}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "e", "Add", "{\"by\":1,\"expectedVersion\":2}"), OUTCOME_CONFLICT);
	CHECK_INT(ask.command.outcome.version, 3);
	ask_fini(&ask);
	CHECK_INT(rig_value(rig, "e"), 2);
}

TEST(what_the_client_expects_is_compared)
{
	each_store(check_expectations);
}

static enum outcome_kind
keyed(struct rig *rig, struct ask *ask, const char *id, const char *command, const char *body, const char *key)
{
	ask_init(ask, NULL, id, command, body);
	ask->command.idempotency_key = slice_text(key);
	ask_run(rig, ask);
	return ask->command.outcome.kind;
}

static void
check_idempotency(struct rig *rig)
{
	struct ask ask;
	char made[64];

	CHECK_INT(keyed(rig, &ask, "", "Open", "{\"name\":\"k\"}", "K1"), OUTCOME_ACCEPTED);
	snprintf(made, sizeof(made), "%.*s", SLICE_ARG(ask.command.made_id));
	ask_fini(&ask);
	CHECK_INT(keyed(rig, &ask, "", "Open", "{\"name\":\"k\"}", "K1"), OUTCOME_REPEATED);
	CHECK_SLICE(ask.command.made_id, made);
	CHECK_INT(ask.command.outcome.version, 1);
	CHECK_INT(ask.command.outcome.position, 1);
	ask_fini(&ask);
	CHECK_INT(keyed(rig, &ask, "", "Open", "{\"name\":\"other\"}", "K1"), OUTCOME_MISMATCH);
	CHECK_SLICE(ask.command.outcome.code, "idempotency_key_reused");
	ask_fini(&ask);

	CHECK_INT(keyed(rig, &ask, made, "Add", "{\"by\":10}", "K2"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	CHECK_INT(keyed(rig, &ask, made, "Add", "{\"by\":-10}", "K3"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	/* What would be refused now was accepted then: the first answer, whole. */
	CHECK_INT(keyed(rig, &ask, made, "Add", "{\"by\":-10}", "K3"), OUTCOME_REPEATED);
	CHECK_SLICE(ask.command.outcome.reply, "{\"value\":0}");
	CHECK_INT(ask.command.outcome.version, 3);
	ask_fini(&ask);
	CHECK_INT(keyed(rig, &ask, made, "Add", "{\"by\":10}", "K2"), OUTCOME_REPEATED);
	CHECK_SLICE(ask.command.outcome.reply, "{\"value\":10}");
	CHECK_INT(ask.command.outcome.position, 2);
	ask_fini(&ask);
	CHECK_INT(keyed(rig, &ask, made, "Add", "{\"by\":11}", "K2"), OUTCOME_MISMATCH);
	ask_fini(&ask);
	CHECK_INT(keyed(rig, &ask, made, "Nothing", "{}", "K4"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	CHECK_INT(keyed(rig, &ask, made, "Nothing", "{}", "K4"), OUTCOME_REPEATED);
	CHECK_SLICE(ask.command.outcome.reply, "{\"nothing\":true}");
	ask_fini(&ask);
	CHECK_INT(rig_value(rig, made), 0);
	/* A refusal is decided anew. */
	CHECK_INT(keyed(rig, &ask, made, "Add", "{\"by\":-1}", "K5"), OUTCOME_REFUSED);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, made, "Add", "{\"by\":1}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	CHECK_INT(keyed(rig, &ask, made, "Add", "{\"by\":-1}", "K5"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
}

TEST(a_repeat_gives_the_first_answer)
{
	each_store(check_idempotency);
}

static void
check_restart(struct rig *rig)
{
	struct ask ask;

	CHECK_INT(keyed(rig, &ask, "", "Open", "{\"name\":\"r\"}", "R1"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	rig_close_engine(rig);
	rig_reopen(rig, NULL);
	CHECK_INT(keyed(rig, &ask, "", "Open", "{\"name\":\"r\"}", "R1"), OUTCOME_REPEATED);
	CHECK_INT(ask.command.outcome.version, 1);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "other", "Open", "{\"name\":\"r\"}"), OUTCOME_REFUSED);
	ask_fini(&ask);
}

TEST(a_repeat_is_known_after_a_restart)
{
	each_store(check_restart);
}

static void
check_unique(struct rig *rig)
{
	struct ask ask;

	open_counter(rig, "u1");
	CHECK_INT(ask_once(rig, &ask, "u2", "Open", "{\"name\":\"u1\"}"), OUTCOME_REFUSED);
	CHECK_SLICE(ask.command.outcome.code, "name_taken");
	CHECK_SLICE(ask.command.outcome.message, "another counter has this name");
	CHECK_INT(ask.command.outcome.status, 409);
	ask_fini(&ask);
	open_counter(rig, "u2");
	CHECK_INT(ask_once(rig, &ask, "u2", "Rename", "{\"name\":\"u1\"}"), OUTCOME_REFUSED);
	CHECK_SLICE(ask.command.outcome.code, "already_taken");
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "u1", "Rename", "{\"name\":\"free\"}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "u2", "Rename", "{\"name\":\"u1\"}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
}

TEST(a_unique_key_is_taken_once)
{
	each_store(check_unique);
}

static void
check_two_streams(struct rig *rig)
{
	struct ask ask;

	open_counter(rig, "m1");
	open_counter(rig, "m2");
	CHECK_INT(ask_once(rig, &ask, "m1", "Add", "{\"by\":100}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	/* Both streams are in their workers' caches now. */
	CHECK_INT(ask_once(rig, &ask, "m2", "Add", "{\"by\":1}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	for (int i = 0; i < 10; i++) {
		CHECK_INT(ask_once(rig, &ask, "m1", "Move", "{\"to\":\"m2\",\"by\":10}"), OUTCOME_ACCEPTED);
		CHECK_INT(ask.command.outcome.version, 3 + i);
		ask_fini(&ask);
	}
	CHECK_INT(ask_once(rig, &ask, "m1", "Add", "{\"by\":-1}"), OUTCOME_REFUSED);
	ask_fini(&ask);
	/* Decided on what the moves left, not on what the owner's cache held. */
	CHECK_INT(ask_once(rig, &ask, "m2", "Add", "{\"by\":-101}"), OUTCOME_ACCEPTED);
	CHECK_INT(ask.command.outcome.version, 13);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "m1", "Move", "{\"to\":\"nobody\",\"by\":1}"), OUTCOME_REFUSED);
	CHECK_SLICE(ask.command.outcome.code, "no_target");
	CHECK_INT(ask.command.outcome.status, 404);
	ask_fini(&ask);
	CHECK_INT(rig_value(rig, "m1"), 0);
	CHECK_INT(rig_value(rig, "m2"), 0);
}

TEST(a_command_may_write_two_streams)
{
	each_store(check_two_streams);
}

static void
check_dry_run(struct rig *rig)
{
	struct ask ask;

	open_counter(rig, "d");
	ask_init(&ask, NULL, "d", "Add", "{\"by\":3}");
	ask.command.dry_run = true;
	ask_run(rig, &ask);
	CHECK_INT(ask.command.outcome.kind, OUTCOME_ACCEPTED);
	CHECK_SLICE(ask.command.outcome.reply,
		    "{\"stream\":\"tally.counter/d\",\"version\":1,\"events\":[{\"stream\":\"tally.counter/d\","
		    "\"kind\":\"event\",\"type\":\"Added\",\"schema_version\":1,\"data\":{\"by\":3}}],"
		    "\"reply\":{\"value\":3}}");
	ask_fini(&ask);
	CHECK_INT(rig_value(rig, "d"), 0);
	CHECK_INT(engine_head(rig->engine), 1);
}

TEST(a_dry_run_records_nothing)
{
	each_store(check_dry_run);
}

static void
check_commit_values(struct rig *rig)
{
	struct engine_read read = { .kind = READ_STATE, .stream = SLICE("tally.counter/p") };
	struct arena arena;
	struct buf out;
	struct ask ask;

	open_counter(rig, "p");
	CHECK_INT(ask_once(rig, &ask, "p", "Stamp", "{}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	CHECK_INT(ask_once(rig, &ask, "p", "Add", "{\"by\":1}"), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	arena_init(&arena, 1 << 20);
	buf_init(&out, 1 << 20);
	CHECK_INT(read_once(rig, &read, &arena, &out), OUTCOME_ACCEPTED);
	CHECK_SLICE(buf_slice(&out), "{\"stream\":\"tally.counter/p\",\"version\":3,\"state\":"
				     "{\"name\":\"p\",\"position\":2,\"seen\":1,\"value\":1}}");
	buf_fini(&out);
	arena_fini(&arena);
}

TEST(a_fold_sees_the_values_of_the_commit)
{
	each_store(check_commit_values);
}

static void
check_seed(struct rig *rig)
{
	struct ask first, second;

	open_counter(rig, "s");
	for (int i = 0; i < 2; i++) {
		CHECK_INT(keyed(rig, i == 0 ? &first : &second, "s", "Seed", "{}", i == 0 ? "S1" : "S2"),
			  OUTCOME_ACCEPTED);
	}
	CHECK(!slice_equal(first.command.outcome.reply, second.command.outcome.reply));
	ask_fini(&first);
	ask_fini(&second);
}

TEST(chance_follows_from_the_key)
{
	each_store(check_seed);
}

/* ---- the wall clock ---- */

static _Atomic int64_t ahead_us;

static int64_t
wall_ahead(void *self)
{
	(void)self;
	return clock_wall_us(clock_real()) + ahead_us;
}

static int64_t
real_mono(void *self)
{
	(void)self;
	return clock_mono_ns(clock_real());
}

/* How often the log's lines since the last call say this. */
static int
count_said(int fd, const char *said)
{
	static char lines[20000];
	ssize_t size = read(fd, lines, sizeof(lines) - 1);
	int count = 0;

	lines[size > 0 ? size : 0] = '\0';
	for (const char *at = lines; (at = strstr(at, said)) != NULL; at += strlen(said))
		count++;
	return count;
}

TEST(a_wall_clock_that_jumps_is_logged_once)
{
	const struct clock clock = { wall_ahead, real_mono, NULL };
	struct rig rig;
	int ends[2];

	CHECK_INT(pipe2(ends, O_NONBLOCK), 0);
	rig_open_store(&rig, RIG_MEMORY);
	rig.clock = &clock;
	rig_reopen(&rig, NULL);
	log_setup(ends[1], LOG_WARN, LOG_LOGFMT);
	open_counter(&rig, "a");
	CHECK_INT(count_said(ends[0], "wall clock"), 0);
	ahead_us = INT64_C(2) * 86400 * 1000000;
	open_counter(&rig, "b");
	open_counter(&rig, "c");
	CHECK_INT(count_said(ends[0],
			     "level=warn msg=\"the wall clock jumped ahead: recorded times go with it\" expected=2"),
		  1);
	ahead_us = 0;
	open_counter(&rig, "d");
	open_counter(&rig, "e");
	CHECK_INT(count_said(ends[0], "the wall clock went back"), 1);
	log_setup(2, LOG_INFO, LOG_LOGFMT);
	close(ends[0]);
	close(ends[1]);
	rig_close(&rig);
}

TEST_MAIN()
