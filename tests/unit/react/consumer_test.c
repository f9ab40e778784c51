/* SPDX-License-Identifier: MIT */
/* One message, one append: exactly once through crashes, repeats, conflicts and rules that change [I6]. */
#include "rig.h"

#include <stdlib.h>

#include "base/probe.h"
#include "support/check.h"

static struct source_broker broker;

static struct rig *
open_rig(const char *words)
{
	return rig_fresh(&broker, 1, words);
}

/* So many seconds. */
static void
rig_pass(struct rig *rig, int seconds)
{
	int64_t end_ns = rig->mono_ns + (int64_t)seconds * 1000000000;

	while (rig->mono_ns < end_ns) {
		int64_t wait_ns = rig_run(rig);

		wait_ns = wait_ns < end_ns - rig->mono_ns ? wait_ns : end_ns - rig->mono_ns;
		rig->mono_ns += wait_ns;
		rig->wall_us += wait_ns / 1000;
	}
}

TEST(each_message_has_its_effect_and_moves_the_place)
{
	struct rig *rig = open_rig("");
	size_t count;

	broker_add(&broker, 0, "Add", "m1", "a", 1);
	broker_add(&broker, 0, "Add", "m2", "a", 2);
	broker_add(&broker, 0, "Two", "m3", "b", 5);
	broker_add(&broker, 0, "Other", "m4", "b", 5);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", &count), 3);
	CHECK_INT(count, 2);
	CHECK_INT(rig_sum(rig, "b", NULL), 5);
	CHECK_INT(rig_sum(rig, "b-b", NULL), 5);
	CHECK_INT(rig_place(rig, "in/0"), 3);
	CHECK_INT(broker_told(&broker, 0), 3);
	CHECK_INT(rig_status(rig).taken, 3);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	/* One that nobody handles is passed; the place follows when nothing else happens. */
	rig_settle(rig);
	CHECK_INT(rig_place(rig, "in/0"), 4);
	rig_restart(rig);
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", &count), 3);
	rig_close(rig);
}

TEST(a_repeat_upstream_only_moves_the_place)
{
	struct rig *rig = open_rig("");
	size_t count;

	broker_add(&broker, 0, "Add", "m1", "a", 1);
	broker_add(&broker, 0, "Add", "m2", "a", 2);
	broker_add(&broker, 0, "Add", "m1", "a", 1);
	broker_add(&broker, 0, "Add", "m3", "a", 4);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", &count), 7);
	CHECK_INT(count, 3);
	CHECK_INT(rig_status(rig).repeated, 1);
	CHECK_INT(rig_place(rig, "in/0"), 4);
	rig_close(rig);
	rig = open_rig("noinbox");
	broker_add(&broker, 0, "Add", "m1", "a", 1);
	broker_add(&broker, 0, "Add", "m1", "a", 1);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 2);
	rig_close(rig);
}

/* Somebody else, as a worker would, writes one event of `by` on the counter. */
static void
write_beside(struct rig *rig, const char *id, long long by)
{
	char stream[64], data[64];
	struct append_stream target = { .expected = { EXPECTED_ANY, 0 } };
	struct new_entry entry = { .kind = ENTRY_EVENT, .schema_version = 1, .type = SLICE("Added") };
	struct append append = {
		.streams = &target, .stream_count = 1, .entries = &entry, .entry_count = 1, .arena = &rig->arena
	};
	struct append *group[] = { &append };
	struct fault fault;

	snprintf(stream, sizeof(stream), "tally.counter/%s", id);
	snprintf(data, sizeof(data), "{\"by\":%lld,\"sum\":%lld}", by, rig_sum(rig, id, NULL) + by);
	target.name = slice_text(stream);
	entry.data = slice_text(data);
	entry_digest(&entry, target.name, 0, &append.provenance, &entry.digest);
	CHECK_INT(store_commit(rig->store, group, 1, &fault), COMMIT_DONE);
	CHECK_INT(append.answer, APPEND_DONE);
}

TEST(a_window_of_messages_on_one_stream_is_one_group)
{
	struct rig *rig = open_rig("");
	char id[16];

	for (int i = 0; i < 50; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		broker_add(&broker, 0, "Add", id, "a", 1);
	}
	consumer_step(rig->consumer);
	CHECK_INT(rig->given_count, 50);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 50);
	rig_close(rig);
}

TEST(what_loses_to_another_writer_is_decided_again_in_order)
{
	struct rig *rig = open_rig("");
	char id[16];
	size_t count;

	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		broker_add(&broker, 0, "Add", id, i % 2 ? "a" : "b", 1);
	}
	consumer_step(rig->consumer);
	CHECK_INT(rig->given_count, 40);
	write_beside(rig, "a", 100);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", &count), 120);
	CHECK_INT(count, 21);
	CHECK_INT(rig_sum(rig, "b", &count), 20);
	CHECK_INT(count, 20);
	rig_close(rig);
}

TEST(who_has_lost_its_lane_records_nothing_more)
{
	struct rig *rig = open_rig("");
	struct record_write move = {
		.rule = RECORD_PUT, .space = SLICE("consumer/tally.adder"), .key = SLICE("in/0"), .value = SLICE("2")
	};
	struct append append = { .records = &move, .record_count = 1, .arena = &rig->arena };
	struct append *group[] = { &append };
	struct fault fault;

	for (int i = 0; i < 3; i++)
		broker_add(&broker, 0, "Add", i == 0 ? "m0" : i == 1 ? "m1" : "m2", "a", 1 << i);
	consumer_step(rig->consumer);
	CHECK_INT(rig->given_count, 3);
	/* Another owner has taken the first two. */
	CHECK_INT(store_commit(rig->store, group, 1, &fault), COMMIT_DONE);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 4);
	CHECK_INT(rig_place(rig, "in/0"), 3);
	rig_close(rig);
}

/* Another owner has taken the first one, so that the second one's comparison holds though the first one lost. */
TEST(what_another_owner_took_between_is_not_taken_again)
{
	struct rig *rig = open_rig("noinbox");
	struct record_write move = {
		.rule = RECORD_PUT, .space = SLICE("consumer/tally.adder"), .key = SLICE("in/0"), .value = SLICE("1")
	};
	struct append append = { .records = &move, .record_count = 1, .arena = &rig->arena };
	struct append *group[] = { &append };
	struct fault fault;

	broker_add(&broker, 0, "Add", "m0", "a", 1);
	broker_add(&broker, 0, "Add", "m1", "b", 2);
	broker_add(&broker, 0, "Add", "m2", "a", 4);
	consumer_step(rig->consumer);
	CHECK_INT(rig->given_count, 3);
	write_beside(rig, "a", 1);
	CHECK_INT(store_commit(rig->store, group, 1, &fault), COMMIT_DONE);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 5);
	CHECK_INT(rig_sum(rig, "b", NULL), 2);
	CHECK_INT(rig_place(rig, "in/0"), 3);
	rig_close(rig);
}

TEST(what_may_pass_waits_in_its_lane_while_others_go_on)
{
	struct rig *rig = open_rig("");
	int64_t wait_ns;

	broker.lane_count = 2;
	rules_double_busy = 3;
	broker_add(&broker, 0, "Busy", "m1", "a", 1);
	broker_add(&broker, 0, "Add", "m2", "a", 2);
	broker_add(&broker, 1, "Add", "m3", "b", 4);
	wait_ns = rig_run(rig);
	CHECK(wait_ns >= 75 * 1000000 && wait_ns <= 126 * 1000000);
	CHECK_INT(rig_status(rig).state, CONSUMER_RETRYING);
	CHECK_INT(rig_sum(rig, "a", NULL), 0);
	CHECK_INT(rig_sum(rig, "b", NULL), 4);
	broker_add(&broker, 1, "Add", "m4", "b", 8);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "b", NULL), 12);
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 3);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	CHECK_INT(rig_status(rig).dead, 0);
	rig_close(rig);
}

TEST(a_lane_that_is_taken_and_given_back_goes_on_where_it_was)
{
	struct rig *rig = open_rig("");
	char id[16];
	size_t count;

	for (int i = 0; i < 30; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		broker_add(&broker, 0, "Add", id, "a", 1);
	}
	consumer_step(rig->consumer);
	broker_rebalance(&broker, 0);
	broker_add(&broker, 0, "Add", "m30", "a", 1);
	consumer_step(rig->consumer);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", &count), 31);
	CHECK_INT(count, 31);
	rig_close(rig);
}

static unsigned orders_done;

static void
settled(struct consumer_order *order)
{
	(void)order;
	orders_done++;
}

TEST(a_place_that_is_gone_halts_and_says_so)
{
	struct rig *rig = open_rig("");

	for (int i = 0; i < 3; i++)
		broker_add(&broker, 0, "Add", i == 0 ? "m0" : i == 1 ? "m1" : "m2", "a", 1);
	rig_run(rig);
	for (int i = 0; i < 7; i++)
		broker_add(&broker, 0, "Add", "later", "a", 1);
	broker.lanes[0].first = 5;
	rig_restart(rig);
	rig_settle(rig);
	CHECK_INT(rig_status(rig).state, CONSUMER_HALTED);
	CHECK(strstr(rig_status(rig).reason, "offset 3 of in/0") != NULL);
	CHECK_INT(rig_sum(rig, "a", NULL), 3);
	rig_close(rig);
}

TEST(a_broker_that_is_away_is_waited_for)
{
	struct rig *rig = open_rig("");

	broker.away = true;
	broker_add(&broker, 0, "Add", "m1", "a", 1);
	CHECK(rig_run(rig) < INT64_MAX);
	CHECK_INT(rig_status(rig).state, CONSUMER_AWAY);
	broker.away = false;
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 1);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	rig_close(rig);
}

TEST(a_broker_that_does_not_answer_is_shown_with_cause_and_since_when)
{
	struct rig *rig = open_rig("");
	int64_t began_us;

	broker_add(&broker, 0, "Add", "m1", "a", 1);
	rig_settle(rig);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	rig->wall_us += 1000000;
	broker.silent = true;
	rig_run(rig);
	began_us = rig->wall_us;
	rig->wall_us += 5000000;
	rig_run(rig);
	CHECK_INT(rig_status(rig).state, CONSUMER_AWAY);
	CHECK_INT(rig_status(rig).since_us, began_us);
	CHECK_TEXT(rig_status(rig).reason, "the broker does not answer");
	broker.silent = false;
	rig_run(rig);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	CHECK_INT(rig_status(rig).since_us, began_us + 5000000);
	CHECK_TEXT(rig_status(rig).reason, "");
	rig_close(rig);
}

/* A member that another one of its name has put out is told so at every ask; only a new one is let in. */
TEST(one_that_has_not_heard_for_long_wants_to_be_opened_anew)
{
	struct rig *rig = open_rig("");

	broker_add(&broker, 0, "Add", "m1", "a", 1);
	rig_settle(rig);
	broker.away = true;
	rig_pass(rig, 20);
	CHECK(!consumer_is_stale(rig->consumer));
	rig_pass(rig, 120);
	CHECK(consumer_is_stale(rig->consumer));
	broker.away = false;
	broker_add(&broker, 0, "Add", "m2", "a", 2);
	rig_restart(rig);
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 3);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	rig_close(rig);
}

TEST(each_message_is_decided_by_the_rules_of_its_moment)
{
	struct rig *rig = open_rig("");

	broker_add(&broker, 0, "Add", "m1", "a", 1);
	rig_run(rig);
	rules_double_change(rig->domain, "fixed");
	broker_add(&broker, 0, "Bad", "m2", "a", 2);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 101);
	CHECK(!consumer_is_stale(rig->consumer));
	rules_double_change(rig->domain, "gone");
	broker_add(&broker, 0, "Add", "m3", "a", 4);
	CHECK_INT(consumer_step(rig->consumer), INT64_MAX);
	CHECK(consumer_is_stale(rig->consumer));
	CHECK_INT(rig->given_count, 0);
	rig_close(rig);
}

/* What is in the lane when its place goes is decided after an order; the lane does not fall silent for that. */
TEST(a_lane_whose_place_goes_while_it_works_is_begun_again_by_an_order)
{
	struct rig *rig = open_rig("");
	struct consumer_order order = { .wish = CONSUMER_RETRY, .done = settled };

	broker_add(&broker, 0, "Add", "m0", "a", 1);
	consumer_step(rig->consumer);
	CHECK_INT(rig->given_count, 1);
	for (int i = 0; i < 9; i++)
		broker_add(&broker, 0, "Add", "later", "a", 1);
	broker.lanes[0].first = 5;
	consumer_step(rig->consumer);
	rig_commit(rig, 0);
	rig_settle(rig);
	CHECK_INT(rig_status(rig).state, CONSUMER_HALTED);
	CHECK(consumer_give_order(rig->consumer, &order));
	rig_settle(rig);
	CHECK_INT(rig_status(rig).state, CONSUMER_HALTED);
	broker.lanes[0].first = 0; /* the records are back */
	CHECK(consumer_give_order(rig->consumer, &order));
	rig_settle(rig);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	CHECK_INT(rig_sum(rig, "a", NULL), 2);
	CHECK_INT(rig_place(rig, "in/0"), 10);
	rig_close(rig);
}

/*
 * Whoever gave an order has an answer, though what it is about has to wait: new rules may help, and they come by orders
 * too. Nor is an order held up by letters that are on their way back by themselves (parked ones, after new rules).
 */
TEST(an_order_about_letters_that_must_wait_is_answered)
{
	for (int parked = 0; parked < 2; parked++) {
		struct rig *rig = open_rig(parked ? "" : "skip");
		struct consumer_order order = { .wish = CONSUMER_RETRY, .done = settled };

		broker_add(&broker, 0, "Bad", "m0", "a", 1);
		rig_settle(rig);
		CHECK_INT(rig_status(rig).dead, 1);
		rules_double_busy = 100000;
		rules_double_change(rig->domain, parked ? "fixed" : "skip fixed");
		rig_pass(rig, 60);
		orders_done = 0;
		CHECK(consumer_give_order(rig->consumer, &order));
		rig_pass(rig, 60);
		CHECK_INT(orders_done, 1);
		CHECK_TEXT(order.fault.code, "busy");
		CHECK_INT(rig_status(rig).dead, 1);
		rules_double_busy = 0;
		rig_pass(rig, 60);
		CHECK_INT(rig_status(rig).dead, parked ? 0 : 1); /* those went on by themselves */
		CHECK_INT(rig_sum(rig, "a", NULL), parked ? 100 : 0);
		CHECK(consumer_give_order(rig->consumer, &order));
		rig_pass(rig, 60);
		CHECK_INT(orders_done, 2);
		CHECK_INT(order.settled, parked ? 0 : 1);
		rig_close(rig);
	}
}

static struct consumer_order *sent_away;

static void
free_order(struct consumer_order *order)
{
	CHECK(order == sent_away);
	CHECK_TEXT(order->fault.code, "consumer_closed");
	free(order);
	orders_done++;
}

/* The order is gone while a letter of it is in flight: that letter goes its way. */
TEST(orders_are_sent_away_when_it_ends_soon)
{
	struct rig *rig = open_rig("skip");

	broker_add(&broker, 0, "Bad", "m0", "a", 1);
	rig_settle(rig);
	rules_double_change(rig->domain, "skip fixed");
	sent_away = calloc(1, sizeof(*sent_away));
	*sent_away = (struct consumer_order){ .wish = CONSUMER_RETRY, .done = free_order };
	orders_done = 0;
	CHECK(consumer_give_order(rig->consumer, sent_away));
	for (int i = 0; i < 10 && rig->given_count == 0; i++)
		consumer_step(rig->consumer);
	CHECK_INT(rig->given_count, 1);
	consumer_refuse_orders(rig->consumer);
	CHECK_INT(orders_done, 1);
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 100);
	CHECK_INT(rig_status(rig).dead, 0);
	CHECK(!consumer_give_order(rig->consumer, &(struct consumer_order){ .wish = CONSUMER_RETRY }));
	rig_close(rig);
}

/* ---- crashes ---- */

static unsigned crash_at;
static bool crashed;

/* The process ends at the crash_at-th probe. */
static bool
crash(const char *name)
{
	(void)name;
	if (crash_at != 0 && --crash_at == 0)
		crashed = true;
	return crashed;
}

TEST(each_effect_happens_once_whatever_probe_it_dies_at)
{
	char id[16];
	unsigned crashes = 0;

	probe_hook = crash;
	for (unsigned seed = 1; seed <= 60; seed++) {
		struct rig *rig = open_rig("");
		struct entropy_seeded chance;
		size_t a, b;

		entropy_seed(&chance, seed);
		rig->window = 8;
		broker.lane_count = 2;
		/* Each tenth repeats the one before it in its lane. */
		for (int i = 0; i < 60; i++) {
			int of = i % 10 == 9 ? i - 2 : i;

			snprintf(id, sizeof(id), "m%d", of);
			broker_add(&broker, (unsigned)i % 2, of % 5 ? "Add" : "Two", id, of % 3 ? "a" : "b", 1);
		}
		atomic_store(&probe_armed, true);
		for (unsigned round = 0; round < 400; round++) {
			uint8_t dice[2];
			int64_t wait_ns;

			if (crash_at == 0) {
				entropy_fill(&chance.entropy, dice, 1);
				crash_at = 1 + dice[0] % 40;
			}
			wait_ns = consumer_step(rig->consumer);
			entropy_fill(&chance.entropy, dice, 2);
			if (crashed) { /* some of what was given in is durable, some is not */
				crashes++;
				rig_commit(rig, rig->given_count != 0 ? dice[0] % (rig->given_count + 1) : 0);
				rig_restart(rig);
				crashed = false;
			} else if (rig->given_count != 0) {
				rig_commit(rig, dice[1] % 4 == 0 ? dice[0] % (rig->given_count + 1) : SIZE_MAX);
			} else if (wait_ns != 0 && wait_ns != INT64_MAX) {
				rig->mono_ns += wait_ns;
			}
		}
		atomic_store(&probe_armed, false);
		crash_at = 0;
		rig_settle(rig);
		size_t wanted_a = 0, wanted_b = 0, wanted_ab = 0;
		for (int i = 0; i < 60; i++) {
			wanted_a += i % 10 != 9 && i % 3;
			wanted_b += i % 10 != 9 && i % 3 == 0;
			wanted_ab += i % 10 != 9 && i % 3 && i % 5 == 0;
		}
		CHECK_INT(rig_sum(rig, "a", &a), (long long)wanted_a);
		CHECK_INT(rig_sum(rig, "b", &b), (long long)wanted_b);
		CHECK_INT(rig_sum(rig, "a-b", NULL), (long long)wanted_ab);
		rig_close(rig);
	}
	probe_hook = NULL;
	CHECK(crashes > 200);
}

TEST_MAIN()
