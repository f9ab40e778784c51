/* SPDX-License-Identifier: MIT */
/* Strangers' messages that are too long, too large or of odd bytes: a dead letter each, and the lane goes on [I6]. */
#include "rig.h"

#include "core/cloudevent.h"
#include "support/check.h"

static struct source_broker broker;

static struct rig *
open_rig(const char *words)
{
	return rig_fresh(&broker, 1, words);
}

static struct broker_message *
add_strange(const char *type, const char *id, const char *key)
{
	broker_add(&broker, 0, type, id, key, 1);
	return &broker.lanes[0].messages[broker.lanes[0].count - 1];
}

/* So many dead letters, and a later message has its effect. */
static void
check_passed(struct rig *rig, size_t dead)
{
	broker_add(&broker, 0, "Add", "last", "z", 7);
	rig_settle(rig);
	CHECK_INT(rig_records(rig, "dead/tally.adder"), dead);
	CHECK_INT(rig_sum(rig, "z", NULL), 7);
	CHECK_INT(rig_place(rig, "in/0"), (long long)broker.lanes[0].count);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	CHECK_INT(rig_status(rig).dead, dead);
}

/* The entries on the dead-letter topic, as they are sent: all can be. */
static size_t
count_sendable(struct rig *rig)
{
	const struct log_filter published = { .published_only = true };
	struct store_reader *reader;
	struct entries entries = { 0 };
	struct message message;
	struct fault fault;
	log_position seen;
	size_t count = 0;

	CHECK_INT(store_reader_open(rig->store, &reader, &fault), 0);
	CHECK_INT(store_read_log(reader, 0, &published, (struct read_limit){ 100, 0 }, &rig->arena, &entries, &seen,
				 &fault),
		  0);
	for (size_t i = 0; i < entries.count; i++) {
		if (!slice_equal(entries.items[i].topic, SLICE("tally.adder.dlq")))
			continue;
		CHECK_INT(cloudevent_encode(&entries.items[i], SLICE("/x/y"), &rig->arena, &message, &fault), 0);
		count++;
	}
	store_reader_close(reader);
	return count;
}

TEST(an_id_that_is_too_long_is_a_dead_letter)
{
	struct rig *rig = open_rig("");

	add_strange("Add", "", "a")->id_size = STORE_KEY_MAX + 1;
	add_strange("Add", "", "b")->id_size = STORE_KEY_MAX;
	check_passed(rig, 1);
	CHECK_INT(rig_sum(rig, "a", NULL), 0);
	CHECK_INT(rig_sum(rig, "b", NULL), 1);
	CHECK_INT(count_sendable(rig), 1);
	rig_close(rig);
}

static void
free_order(struct consumer_order *order)
{
	(void)order;
}

/* Their key is the record's, which is known whatever the rest is: order holds for them as for others. */
TEST(messages_that_cannot_be_decoded_park_their_key)
{
	struct consumer_order drop = { .wish = CONSUMER_DROP, .done = free_order };
	struct rig *rig = open_rig("");

	strcpy(add_strange("Add", "m1", "a")->data, "\xff\xfe");
	add_strange("Add", "m2", "a"); /* behind it */
	add_strange("Add", "m3", "b");
	add_strange("Add", "", "c")->id_size = STORE_KEY_MAX + 1;
	add_strange("Add", "m5", "c"); /* behind that */
	strcpy(add_strange("Add", "m6", "")->data, "\xff\xfe");
	add_strange("Add", "m7", "d")->key[0] = '\0'; /* what has no key has no order */
	check_passed(rig, 5);
	CHECK_INT(rig_sum(rig, "a", NULL), 0);
	CHECK_INT(rig_sum(rig, "b", NULL), 1);
	CHECK_INT(rig_sum(rig, "c", NULL), 0);
	CHECK_INT(rig_sum(rig, "d", NULL), 1);
	CHECK_INT(rig_records(rig, "parked/tally.adder"), 2);
	/* A person gives up the one that is none: those behind it follow. */
	rig_restart(rig);
	rig_settle(rig);
	CHECK_INT(rig_records(rig, "dead/tally.adder"), 5);
	drop.letter = SLICE("in/0/00000000000000000000");
	CHECK(consumer_give_order(rig->consumer, &drop));
	rig_settle(rig);
	CHECK_INT(drop.settled, 1);
	rules_double_change(rig->domain, "fixed");
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 1);
	CHECK_INT(rig_records(rig, "dead/tally.adder"), 3);
	CHECK_INT(rig_records(rig, "parked/tally.adder"), 1);
	rig_close(rig);
}

TEST(a_poison_message_with_a_long_key_of_odd_bytes_is_a_dead_letter)
{
	struct rig *rig = open_rig("");

	add_strange("Bad", "m1", "a")->key_size = 20 * STORE_KEY_MAX;
	add_strange("Bad", "m2", "a")->key_size = 20;
	add_strange("Add", "m3", "a")->key_size = 20; /* behind the second */
	check_passed(rig, 3);
	CHECK_INT(count_sendable(rig), 3);
	rig_close(rig);
}

TEST(a_poison_message_whose_letter_does_not_fit_a_message_is_kept_all_the_same)
{
	struct rig *rig = open_rig("");

	add_strange("Bad", "m1", "a")->value_size = 250000; /* six bytes each as JSON */
	add_strange("Bad", "m2", "b")->value_size = 1200000;
	check_passed(rig, 2);
	CHECK_INT(count_sendable(rig), 2);
	rig_close(rig);
}

TEST(large_messages_are_taken_a_few_at_a_time)
{
	struct rig *rig = open_rig("");
	char id[16];

	for (int i = 0; i < 40; i++) {
		struct broker_message *message;

		snprintf(id, sizeof(id), "m%d", i);
		message = add_strange("Add", id, id);
		message->id_size = STORE_KEY_MAX + 1; /* no handler hears it, which would take long */
		message->value_size = 1000000;
	}
	consumer_step(rig->consumer);
	CHECK_INT(rig->given_count, 17); /* the first beyond 16 MiB is the last */
	check_passed(rig, 40);
	rig_close(rig);
}

TEST(a_poison_message_of_many_headers_can_be_sent_on)
{
	struct rig *rig = open_rig("");

	add_strange("Bad", "m1", "a")->more_headers = 60;
	add_strange("Bad", "m2", "b")->more_headers = 1000;
	check_passed(rig, 2);
	CHECK_INT(count_sendable(rig), 2);
	rig_close(rig);
}

/* Gives how many lanes went on. */
static uint64_t
skip(struct rig *rig)
{
	struct consumer_order order = { .wish = CONSUMER_SKIP, .done = free_order };

	CHECK(consumer_give_order(rig->consumer, &order));
	rig_settle(rig);
	return order.settled;
}

TEST(a_lane_whose_place_is_gone_goes_on_by_order_and_stays_there)
{
	struct rig *rig = open_rig("");

	for (int i = 0; i < 10; i++) {
		broker_add(&broker, 0, "Add", "", "a", 1);
		if (i == 2)
			rig_settle(rig);
	}
	broker.lanes[0].first = broker.lanes[0].count; /* none is left */
	rig_restart(rig);
	rig_settle(rig);
	CHECK_INT(rig_status(rig).state, CONSUMER_HALTED);
	CHECK_INT(skip(rig), 1);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	CHECK_INT(rig_place(rig, "in/0"), 10);
	rig_restart(rig);
	rig_settle(rig);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	/* Made anew: it ends before the place. What has no id but its place is no repeat of what lay there once. */
	broker.lanes[0].count = broker.lanes[0].first = 0;
	broker_add(&broker, 0, "Add", "", "a", 100);
	rig_restart(rig);
	rig_settle(rig);
	CHECK_INT(rig_status(rig).state, CONSUMER_HALTED);
	CHECK_INT(skip(rig), 1);
	CHECK_INT(rig_sum(rig, "a", NULL), 103);
	CHECK_INT(rig_place(rig, "in/0"), 1);
	CHECK_INT(rig_status(rig).state, CONSUMER_RUNNING);
	CHECK_INT(skip(rig), 0);
	rig_close(rig);
}

TEST(a_message_that_halts_its_lane_becomes_a_dead_letter_by_order)
{
	struct rig *rig = open_rig("halt");

	add_strange("Bad", "m1", "a");
	add_strange("Bad", "m2", "a");
	broker_add(&broker, 0, "Add", "m3", "a", 4);
	rig_settle(rig);
	CHECK_INT(rig_status(rig).state, CONSUMER_HALTED);
	CHECK_INT(skip(rig), 1);
	CHECK_INT(rig_status(rig).state, CONSUMER_HALTED);
	CHECK_INT(rig_records(rig, "dead/tally.adder"), 1);
	CHECK_INT(skip(rig), 1);
	check_passed(rig, 2);
	CHECK_INT(rig_sum(rig, "a", NULL), 4);
	rig_close(rig);
}

TEST(letters_without_an_id_at_one_offset_of_two_lanes_are_two)
{
	struct rig *rig = open_rig("");

	broker.lane_count = 2;
	broker_add(&broker, 0, "Bad", "", "a", 1);
	broker_add(&broker, 1, "Bad", "", "b", 1);
	rig_settle(rig);
	CHECK_INT(rig_records(rig, "dead/tally.adder"), 2);
	rules_double_change(rig->domain, "fixed");
	rig_settle(rig);
	CHECK_INT(rig_sum(rig, "a", NULL), 100);
	CHECK_INT(rig_sum(rig, "b", NULL), 100);
	CHECK_INT(rig_records(rig, "dead/tally.adder"), 0);
	rig_close(rig);
}

TEST(the_trace_of_a_message_goes_on)
{
	struct rig *rig = open_rig("");
	struct store_reader *reader;
	struct entries entries = { 0 };
	struct fault fault;
	log_position seen;

	add_strange("Add", "m1", "a")->trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
	rig_settle(rig);
	CHECK_INT(store_reader_open(rig->store, &reader, &fault), 0);
	CHECK_INT(store_read_log(reader, 0, NULL, (struct read_limit){ 1, 0 }, &rig->arena, &entries, &seen, &fault),
		  0);
	CHECK_SLICE(entries.items[0].provenance.traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	CHECK_SLICE(entries.items[0].provenance.causation_id, "m1");
	store_reader_close(reader);
	rig_close(rig);
}

TEST_MAIN()
