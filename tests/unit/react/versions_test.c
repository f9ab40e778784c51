/* SPDX-License-Identifier: MIT */
/* Versions of foreign streams: older ones have no effect, what comes too early is held, or taken and noted. */
#include "rig.h"

#include "support/check.h"

static struct source_broker broker;

static struct rig *
open_rig(const char *words)
{
	return rig_fresh(&broker, 2, words);
}

TEST(an_older_version_has_no_effect_though_its_id_is_another)
{
	struct rig *rig = open_rig("noinbox older");

	broker_add_version(&broker, 0, "Add", "m1", "a", 1, 1);
	broker_add_version(&broker, 0, "Add", "m2", "a", 2, 2);
	broker_add_version(&broker, 0, "Add", "m2", "a", 2, 2);
	broker_add_version(&broker, 0, "Add", "x1", "a", 100, 1);
	broker_add_version(&broker, 0, "Add", "n1", "b", 1000, 1);
	broker_add_version(&broker, 0, "Add", "m3", "a", 4, 3);
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 7);
	CHECK_INT(rig_sum(rig, "b", NULL), 1000);
	CHECK_INT(rig_place(rig, "in/0"), 6);
	CHECK_INT(rig_status(rig).repeated, 2);
	CHECK_INT(rig_records(rig, "heard/tally.adder"), 2);
	rig_restart(rig);
	broker_add_version(&broker, 1, "Add", "m3", "a", 4, 3);
	broker_add_version(&broker, 1, "Add", "m4", "a", 8, 4);
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 15);
	rig_close(rig);
}

TEST(one_that_is_too_early_is_taken_when_gaps_are_skipped)
{
	struct rig *rig = open_rig("older");

	broker_add_version(&broker, 0, "Add", "m1", "a", 1, 4);
	broker_add_version(&broker, 0, "Add", "m2", "a", 2, 7);
	broker_add_version(&broker, 0, "Add", "m3", "a", 4, 6);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 3);
	CHECK_INT(rig_place(rig, "in/0"), 3);
	rig_close(rig);
}

TEST(one_that_is_too_early_waits_for_those_of_another_lane)
{
	struct rig *rig = open_rig("held");
	size_t count;

	broker_add_version(&broker, 0, "Add", "m1", "a", 1, 1);
	broker_add_version(&broker, 0, "Add", "m3", "a", 4, 3);
	broker_add_version(&broker, 0, "Add", "m4", "a", 8, 4);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 1);
	CHECK_INT(rig_status(rig).state, CONSUMER_HELD);
	CHECK_INT(rig_status(rig).held, 1);
	CHECK_INT(rig_status(rig).since_us, rig->wall_us);
	CHECK_TEXT(rig_status(rig).reason, "in/0: version 3 of /elsewhere a is here, and the last one was 1");
	broker_add_version(&broker, 1, "Add", "m2", "a", 2, 2);
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", &count), 15);
	CHECK_INT(count, 4);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	CHECK_INT(rig_status(rig).held, 0);
	rig_close(rig);
}

static void
skipped(struct consumer_order *order)
{
	(void)order;
}

TEST(what_is_held_goes_on_when_a_person_says_so)
{
	struct rig *rig = open_rig("held");
	struct consumer_order order = { .wish = CONSUMER_SKIP, .done = skipped };

	broker_add_version(&broker, 0, "Add", "m1", "a", 1, 1);
	broker_add_version(&broker, 0, "Add", "m3", "a", 4, 3);
	broker_add_version(&broker, 0, "Add", "m6", "a", 32, 6);
	rig_run(rig);
	CHECK_INT(rig_status(rig).held, 1);
	CHECK(consumer_give_order(rig->consumer, &order));
	rig_run(rig);
	CHECK_INT(order.settled, 1);
	CHECK_INT(rig_sum(rig, "a", NULL), 5);
	/* The next gap is one of its own. */
	CHECK_INT(rig_status(rig).state, CONSUMER_HELD);
	CHECK(consumer_give_order(rig->consumer, &order));
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 37);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	CHECK(consumer_give_order(rig->consumer, &order));
	rig_run(rig);
	CHECK_INT(order.settled, 0);
	rig_close(rig);
}

TEST(one_that_waited_long_enough_is_taken)
{
	struct rig *rig = open_rig("held");
	int64_t began_us = rig->wall_us;

	broker_add_version(&broker, 0, "Add", "m1", "a", 1, 1);
	broker_add_version(&broker, 0, "Add", "m3", "a", 4, 3);
	for (int i = 0; i < 100; i++) {
		int64_t wait_ns = rig_run(rig);

		if (rig_sum(rig, "a", NULL) != 1)
			break;
		rig->mono_ns += wait_ns;
		rig->wall_us += wait_ns / 1000;
	}
	CHECK_INT(rig_sum(rig, "a", NULL), 5);
	CHECK(rig->wall_us - began_us >= 30000000 && rig->wall_us - began_us < 120000000);
	broker_add_version(&broker, 0, "Add", "m2", "a", 2, 2);
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 5);
	rig_close(rig);
}

/* What nobody handles was heard all the same; so was what became a dead letter. */
TEST(a_version_without_an_effect_leaves_no_gap)
{
	struct rig *rig = open_rig("held skip");

	broker_add_version(&broker, 0, "Add", "m1", "a", 1, 1);
	broker_add_version(&broker, 0, "Other", "m2", "a", 2, 2);
	broker_add_version(&broker, 0, "Bad", "m3", "a", 4, 3);
	broker_add_version(&broker, 0, "Add", "m4", "a", 8, 4);
	rig_run(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 9);
	CHECK_INT(rig_status(rig).dead, 1);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	rig_close(rig);
}

/* One of two lanes' appends in flight loses: the other, which counts on its version, loses too, and both come again. */
TEST(versions_in_flight_of_two_lanes_take_effect_in_order_or_not_at_all)
{
	struct rig *rig = open_rig("held");
	size_t count;

	broker_add_version(&broker, 0, "Add", "m1", "a", 1, 1);
	rig_run(rig);
	broker_add_version(&broker, 0, "Add", "m2", "a", 2, 2);
	consumer_step(rig->consumer);
	broker_add_version(&broker, 1, "Other", "m3", "a", 4, 3);
	consumer_step(rig->consumer);
	CHECK_INT(rig->given_count, 2);
	rig_commit(rig, 0);
	CHECK_TEXT(rig_record(rig, "consumer/tally.adder", "in/1"), "");
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", &count), 3);
	CHECK_INT(count, 2);
	CHECK_INT(rig_place(rig, "in/0"), 2);
	CHECK_INT(rig_place(rig, "in/1"), 1);
	rig_close(rig);
}

/* Time passes, in steps that a sweep is not longer than. */
static void
pass(struct rig *rig, int hours)
{
	for (int i = 0; i < hours; i++) {
		rig->wall_us += INT64_C(3600000000);
		rig->mono_ns += INT64_C(3600000000000);
		rig_settle(rig);
	}
}

TEST(versions_of_streams_that_fell_silent_are_forgotten)
{
	struct rig *rig = open_rig("noinbox older");
	char key[24];

	for (int i = 0; i < 400; i++) {
		snprintf(key, sizeof(key), "s%d", i);
		broker_add_version(&broker, 0, "Add", key, key, 1, 5);
	}
	rig_settle(rig);
	CHECK_INT(rig_records(rig, "heard/tally.adder"), 400);
	pass(rig, 100);
	broker_add_version(&broker, 0, "Add", "again", "s7", 1, 6);
	rig_settle(rig);
	CHECK_INT(rig_records(rig, "heard/tally.adder"), 400);
	pass(rig, 67);
	CHECK_INT(rig_records(rig, "heard/tally.adder"), 400);
	pass(rig, 3);
	CHECK_INT(rig_records(rig, "heard/tally.adder"), 1);
	/* Within the window it is known, beyond it is new. */
	broker_add_version(&broker, 1, "Add", "late", "s7", 100, 5);
	broker_add_version(&broker, 1, "Add", "late", "s8", 100, 5);
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "s7", NULL), 2);
	CHECK_INT(rig_sum(rig, "s8", NULL), 101);
	CHECK_INT(rig_place(rig, "in/0"), 401);
	rig_restart(rig);
	pass(rig, 200);
	CHECK_INT(rig_records(rig, "heard/tally.adder"), 0);
	rig_close(rig);
}

/* A version that moves while its record is being forgotten stays, and its message has its effect. */
TEST(what_moves_meanwhile_is_not_forgotten)
{
	for (int first = 0; first < 2; first++) {
		struct rig *rig = open_rig("noinbox older");
		size_t count;

		broker_add_version(&broker, 0, "Add", "m1", "a", 1, 1);
		rig_settle(rig);
		rig->wall_us += INT64_C(8) * 86400 * 1000000;
		if (first != 0)
			broker_add_version(&broker, 0, "Add", "m2", "a", 2, 2);
		consumer_step(rig->consumer);
		rig->mono_ns += INT64_C(3601000000000);
		consumer_step(rig->consumer);
		broker_add_version(&broker, 0, "Add", first != 0 ? "m3" : "m2", "a", 2, first != 0 ? 3 : 2);
		consumer_step(rig->consumer);
		CHECK_INT(rig->given_count, 2 + (size_t)first);
		rig_settle(rig);
		CHECK_INT(rig_sum(rig, "a", &count), 3 + 2 * first);
		CHECK_INT(count, 2 + (size_t)first);
		CHECK_INT(rig_records(rig, "heard/tally.adder"), 1);
		rig_close(rig);
	}
}

TEST_MAIN()
