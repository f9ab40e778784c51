/* SPDX-License-Identifier: MIT */
/* Many commands at once: order, groups, conflicts, bounds, faults of the store, draining. */
#include "gate.h"
#include "rig.h"

#include "support/check.h"

#define MANY 400

static struct ask asks[MANY];
static struct mailbox answers;

__attribute__((constructor)) static void
set_up(void)
{
	mailbox_init(&answers, 0, NULL);
}

static void
prepare(size_t count, const char *(*id)(size_t i), const char *command, const char *(*body)(size_t i))
{
	for (size_t i = 0; i < count; i++)
		ask_init(&asks[i], &answers, id(i), command, body(i));
}

static void
clean(size_t count)
{
	for (size_t i = 0; i < count; i++)
		ask_fini(&asks[i]);
}

static size_t
count_kind(size_t count, enum outcome_kind kind)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += asks[i].command.outcome.kind == kind;
	return found;
}

static size_t
count_code(size_t count, const char *code)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += slice_equal(asks[i].command.outcome.code, slice_text(code));
	return found;
}

static void
open_counter(struct rig *rig, const char *id, int value)
{
	char body[64];
	struct ask ask;

	snprintf(body, sizeof(body), "{\"name\":\"%s\"}", id);
	CHECK_INT(ask_once(rig, &ask, id, "Open", body), OUTCOME_ACCEPTED);
	ask_fini(&ask);
	snprintf(body, sizeof(body), "{\"by\":%d}", value);
	CHECK_INT(ask_once(rig, &ask, id, "Add", body), OUTCOME_ACCEPTED);
	ask_fini(&ask);
}

static const char *
one_id(size_t i)
{
	(void)i;
	return "one";
}

static const char *
add_one(size_t i)
{
	(void)i;
	return "{\"by\":1}";
}

static void
check_one_stream(enum rig_store kind)
{
	struct engine_limits patient = { .queue_wait_us = INT64_MAX / 2 };
	struct rig rig;
	size_t taken;

	rig_open(&rig, kind, &patient);
	open_counter(&rig, "one", 0);
	prepare(MANY, one_id, "Add", add_one);
	ask_give_all(&rig, asks, MANY, &answers, &taken);
	CHECK_INT(taken, MANY);
	ask_collect(&answers, MANY);
	for (size_t i = 0; i < MANY; i++) {
		CHECK_INT(asks[i].command.outcome.kind, OUTCOME_ACCEPTED);
		CHECK_INT(asks[i].command.outcome.version, 3 + i); /* in the order given */
	}
	CHECK_INT(rig_value(&rig, "one"), MANY);
	clean(MANY);
	rig_close(&rig);
}

TEST(commands_of_one_stream_keep_their_order)
{
	check_one_stream(RIG_MEMORY);
	check_one_stream(RIG_SQLITE);
}

static const char *
five_ids(size_t i)
{
	static const char *const ids[] = { "c0", "c1", "c2", "c3", "c4" };

	return ids[i % 5];
}

static const char *
to_another(size_t i)
{
	static const char *const bodies[] = { "{\"to\":\"c0\",\"by\":3}", "{\"to\":\"c1\",\"by\":2}",
					      "{\"to\":\"c2\",\"by\":5}", "{\"to\":\"c3\",\"by\":1}",
					      "{\"to\":\"c4\",\"by\":4}" };

	return bodies[(i % 5 + 1 + i / 5 % 4) % 5];
}

static void
check_storm(enum rig_store kind)
{
	struct engine_limits limits = { .attempts = 50, .queue_wait_us = INT64_MAX / 2 };
	long long total = 0;
	struct rig rig;
	size_t taken;

	rig_open(&rig, kind, &limits);
	for (size_t i = 0; i < 5; i++)
		open_counter(&rig, five_ids(i), 100);
	prepare(MANY, five_ids, "Move", to_another);
	ask_give_all(&rig, asks, MANY, &answers, &taken);
	CHECK_INT(taken, MANY);
	ask_collect(&answers, MANY);
	CHECK_INT(count_kind(MANY, OUTCOME_ACCEPTED) + count_code(MANY, "below_zero"), MANY);
	for (size_t i = 0; i < 5; i++) {
		long long value = rig_value(&rig, five_ids(i));

		CHECK(value >= 0);
		total += value;
	}
	CHECK_INT(total, 500);
	CHECK_INT(engine_head(rig.engine), 10 + 2 * count_kind(MANY, OUTCOME_ACCEPTED));
	clean(MANY);
	rig_close(&rig);
}

TEST(a_storm_of_moves_loses_nothing)
{
	check_storm(RIG_MEMORY);
	check_storm(RIG_SQLITE);
}

/* Another stream's state is kept by whoever read it and caught up each time, whoever wrote it meanwhile. */
static void
check_peeks(enum rig_store kind)
{
	struct engine_limits limits = { .workers = 2 };
	struct rig rig;
	struct ask ask;
	char body[32], wanted[64];

	rig_open(&rig, kind, &limits);
	for (size_t i = 0; i < 5; i++)
		open_counter(&rig, five_ids(i), 0);
	for (int round = 1; round <= 20; round++)
		for (size_t i = 0; i < 5; i++) {
			const char *seen = five_ids(i + (size_t)round % 4 + 1);
			CHECK_INT(ask_once(&rig, &ask, seen, "Add", "{\"by\":1}"), OUTCOME_ACCEPTED);
			ask_fini(&ask);
			snprintf(body, sizeof(body), "{\"at\":\"%s\"}", seen);
			CHECK_INT(ask_once(&rig, &ask, five_ids(i), "Peek", body), OUTCOME_ACCEPTED);
			snprintf(wanted, sizeof(wanted), "{\"value\":%lld,\"version\":%lld}", rig_value(&rig, seen),
				 rig_value(&rig, seen) + 2);
			CHECK_SLICE(ask.command.outcome.reply, wanted);
			ask_fini(&ask);
		}
	rig_close(&rig);
}

TEST(what_another_stream_became_is_read)
{
	check_peeks(RIG_MEMORY);
	check_peeks(RIG_SQLITE);
}

TEST(one_key_at_once_counts_once)
{
	struct rig rig;
	size_t taken;

	rig_open(&rig, RIG_MEMORY, NULL);
	open_counter(&rig, "one", 0);
	prepare(50, one_id, "Add", add_one);
	for (size_t i = 0; i < 50; i++)
		asks[i].command.idempotency_key = SLICE("same");
	ask_give_all(&rig, asks, 50, &answers, &taken);
	ask_collect(&answers, taken);
	CHECK_INT(count_kind(50, OUTCOME_ACCEPTED), 1);
	CHECK_INT(count_kind(50, OUTCOME_REPEATED), 49);
	for (size_t i = 0; i < 50; i++)
		CHECK_INT(asks[i].command.outcome.version, 3);
	CHECK_INT(rig_value(&rig, "one"), 1);
	clean(50);
	rig_close(&rig);
}

static const char *
many_ids(size_t i)
{
	static char ids[MANY][8];

	snprintf(ids[i], sizeof(ids[i]), "n%zu", i);
	return ids[i];
}

/* One commit waits at the gate while the rest of the commands come in. */
static void
hold(struct rig *rig, struct gate *gate, const struct engine_limits *limits, struct ask *first)
{
	size_t before;

	rig_open_store(rig, RIG_MEMORY);
	gate_put(gate, rig->store);
	rig_reopen(rig, limits);
	gate_close(gate);
	before = atomic_load(&gate->arrived);
	ask_init(first, &answers, "first", "Put", "{\"by\":1}");
	CHECK(engine_execute(rig->engine, &first->command));
	gate_wait_for(gate, before + 1);
}

TEST(what_waits_goes_in_groups)
{
	struct engine_limits limits = { .workers = 1 };
	struct gate gate;
	struct ask first;
	struct rig rig;
	size_t taken, before;

	hold(&rig, &gate, &limits, &first);
	before = atomic_load(&gate.arrived);
	prepare(100, many_ids, "Put", add_one);
	ask_give_all(&rig, asks, 100, &answers, &taken);
	CHECK_INT(taken, 100);
	gate_open(&gate);
	ask_collect(&answers, 101);
	CHECK_INT(count_kind(100, OUTCOME_ACCEPTED), 100);
	CHECK(atomic_load(&gate.arrived) - before < 100);
	CHECK(atomic_load(&gate.largest) > 1);
	clean(100);
	ask_fini(&first);
	rig_close(&rig);
}

TEST(the_queue_is_bounded)
{
	struct engine_limits limits = { .workers = 1, .queue_length = 20, .domain_share = 8 };
	struct gate gate;
	struct ask first;
	struct rig rig;
	size_t taken;

	hold(&rig, &gate, &limits, &first);
	prepare(100, many_ids, "Put", add_one);
	ask_give_all(&rig, asks, 100, &answers, &taken);
	CHECK(taken >= 8 && taken < 100);
	for (size_t i = 0; i < 100; i++)
		if (asks[i].command.outcome.kind == OUTCOME_FAILED)
			CHECK_INT(asks[i].command.outcome.fault.class, FAULT_BUSY);
	CHECK_INT(count_code(100, "queue_full"), 100 - taken);
	gate_open(&gate);
	ask_collect(&answers, taken + 1);
	CHECK_INT(count_kind(100, OUTCOME_ACCEPTED), taken);
	clean(100);
	ask_fini(&first);
	rig_close(&rig);
}

TEST(who_waited_too_long_is_told_so)
{
	struct engine_limits limits = { .workers = 1, .queue_wait_us = 1 };
	struct gate gate;
	struct rig rig;
	size_t taken;

	rig_open_store(&rig, RIG_MEMORY);
	gate_put(&gate, rig.store);
	rig_reopen(&rig, &limits);
	gate_close(&gate);
	/* Behind each other on one stream, so that all but the first wait for the gate. */
	prepare(10, one_id, "Put", add_one);
	ask_give_all(&rig, asks, 10, &answers, &taken);
	CHECK_INT(taken, 10);
	gate_open(&gate);
	ask_collect(&answers, 10);
	CHECK(count_code(10, "queue_wait") >= 9);
	for (size_t i = 0; i < 10; i++)
		if (asks[i].command.outcome.kind == OUTCOME_FAILED)
			CHECK_INT(asks[i].command.outcome.fault.class, FAULT_BUSY);
	clean(10);
	rig_close(&rig);
}

TEST(an_unknown_outcome_is_told_and_nothing_follows)
{
	struct engine_limits limits = { .workers = 1 };
	struct gate gate;
	struct ask first, later;
	struct buf out;
	struct rig rig;
	size_t taken;

	hold(&rig, &gate, &limits, &first);
	prepare(20, many_ids, "Put", add_one);
	ask_give_all(&rig, asks, 20, &answers, &taken);
	atomic_store(&gate.way, GATE_UNKNOWN);
	gate_open(&gate);
	ask_collect(&answers, taken + 1);
	CHECK_SLICE(first.command.outcome.code, "outcome_unknown");
	CHECK_INT(first.command.outcome.fault.class, FAULT_UNKNOWN);
	CHECK_INT(count_code(20, "not_attempted"), 20);
	for (size_t i = 0; i < 20; i++)
		CHECK_INT(asks[i].command.outcome.fault.class, FAULT_AWAY);
	atomic_store(&gate.way, GATE_THROUGH);
	CHECK_INT(ask_once(&rig, &later, "later", "Put", "{\"by\":1}"), OUTCOME_FAILED);
	CHECK_SLICE(later.command.outcome.code, "not_attempted");
	ask_fini(&later);
	buf_init(&out, 1 << 16);
	CHECK(!engine_ready(rig.engine, &out));
	buf_fini(&out);
	clean(20);
	ask_fini(&first);
	rig_close(&rig);
}

TEST(a_full_disk_is_a_fault_that_passes)
{
	struct gate gate;
	struct ask ask;
	struct rig rig;

	rig_open_store(&rig, RIG_MEMORY);
	gate_put(&gate, rig.store);
	rig_reopen(&rig, NULL);
	open_counter(&rig, "one", 5);
	atomic_store(&gate.way, GATE_FULL);
	CHECK_INT(ask_once(&rig, &ask, "one", "Add", "{\"by\":1}"), OUTCOME_FAILED);
	CHECK_INT(ask.command.outcome.fault.class, FAULT_FULL);
	ask_fini(&ask);
	CHECK_INT(rig_value(&rig, "one"), 5);
	atomic_store(&gate.way, GATE_THROUGH);
	CHECK_INT(ask_once(&rig, &ask, "one", "Add", "{\"by\":1}"), OUTCOME_ACCEPTED);
	CHECK_SLICE(ask.command.outcome.reply, "{\"value\":6}");
	ask_fini(&ask);
	rig_close(&rig);
}

TEST(draining_answers_what_is_inside_and_takes_no_more)
{
	struct engine_limits limits = { .workers = 1 };
	struct gate gate;
	struct ask first, late;
	struct rig rig;
	size_t taken;

	hold(&rig, &gate, &limits, &first);
	prepare(20, many_ids, "Put", add_one);
	ask_give_all(&rig, asks, 20, &answers, &taken);
	CHECK(!engine_drain(rig.engine, 0));
	CHECK_INT(ask_once(&rig, &late, "late", "Put", "{\"by\":1}"), OUTCOME_FAILED);
	CHECK_SLICE(late.command.outcome.code, "draining");
	ask_fini(&late);
	gate_open(&gate);
	CHECK(engine_drain(rig.engine, INT64_MAX));
	ask_collect(&answers, taken + 1);
	CHECK_INT(count_kind(20, OUTCOME_ACCEPTED), 20);
	clean(20);
	ask_fini(&first);
	rig_close(&rig);
}

TEST_MAIN()
