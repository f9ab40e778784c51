/* SPDX-License-Identifier: MIT */
/* Versions of foreign streams: older ones have no effect, what comes too early is held, or taken and noted. */
#include "rig.h"

#include "support/check.h"

static struct source_broker broker;

static struct rig *
open_rig(const char *words)
{
	static struct rig rig;

	memset(&broker, 0, sizeof(broker));
	broker.lane_count = 2;
	rig = (struct rig){ .broker = &broker };
	rules_double_busy = 0;
	rig_open(&rig, words);
	return &rig;
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
	CHECK_INT(rig_status(rig).state, CONSUMER_RETRYING);
	CHECK(strstr(rig_status(rig).reason, "version 3 of /elsewhere a is here, and the last one was 1") != NULL);
	broker_add_version(&broker, 1, "Add", "m2", "a", 2, 2);
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", &count), 15);
	CHECK_INT(count, 4);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
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

TEST_MAIN()
