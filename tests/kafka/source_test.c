/* SPDX-License-Identifier: MIT */
/* The source against a real broker [I6]: lanes are given and taken, each begins where it is told, nothing is lost. */
#include <pthread.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mailbox.h"
#include "kafka/kit.h"
#include "store/store.h"
#include "support/check.h"

static struct fault fault;

/*
 * One member of a group: what the room wakes is a box that the test waits at. Whose test fails is never closed, and the
 * library's threads go on waking it, so boxes are no test's and none is used twice.
 */
struct member {
	struct source *source;
	struct mailbox *box;
	struct arena arena;
	struct source_event event;
	struct slice topic; /* borrowed by the source */
};

static void
nudge(void *self)
{
	mailbox_nudge(self);
}

static struct kafka_options options;

static void
join(struct member *member, const char *service, const char *topic, const char *instance)
{
	static struct mailbox boxes[32];
	static struct kafka_options each[countof(boxes)]; /* outlive their sources */
	static unsigned count;
	struct kafka_options *mine = &each[count % countof(each)];
	struct mailbox *box = &boxes[count % countof(boxes)];
	const struct source_wanted wanted = {
		.group = SLICE("stock.reservations"),
		.topics = &member->topic,
		.topic_count = 1,
		.waker = { nudge, box },
	};
	static const struct slice properties[] = { SLICE("session.timeout.ms=3000"),
						   SLICE("heartbeat.interval.ms=300") };

	CHECK(count++ < countof(boxes));
	*mine = options = kit_options(KAFKA_TRANSACTIONAL, service);
	mine->instance = slice_text(instance);
	mine->properties = properties, mine->property_count = countof(properties);
	member->topic = slice_text(topic);
	member->box = box;
	mailbox_init(box, 1, NULL);
	arena_init(&member->arena, 16 << 20);
	if (kafka_source_open(mine, &wanted, &member->source, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
}

static void
leave(struct member *member)
{
	source_close(member->source);
	mailbox_fini(member->box);
	arena_fini(&member->arena);
}

/* The next thing that is not nothing, woken for it, within `ms`. */
static bool
heard(struct member *member, int ms)
{
	int64_t end = clock_mono_ns(clock_real()) + (int64_t)ms * 1000000;

	for (;;) {
		arena_clear(&member->arena);
		if (source_next(member->source, &member->arena, &member->event, &fault) != 0) {
			if (fault.class != FAULT_AWAY)
				CHECK_FAIL("%s", fault.text);
			continue;
		}
		if (member->event.what != SOURCE_NOTHING)
			return true;
		int64_t left = end - clock_mono_ns(clock_real());
		if (left <= 0)
			return false;
		mailbox_wait(member->box, left);
	}
}

static void
hear(struct member *member, enum source_news what)
{
	if (!heard(member, 30000))
		CHECK_FAIL("nothing heard for 30 s, not %d", (int)what);
	if (member->event.what != what)
		CHECK_FAIL("heard %d, not %d: %s", (int)member->event.what, (int)what,
			   member->event.what == SOURCE_GONE ? fault.text : "");
}

static void
begin_at(struct member *member, int32_t partition, uint64_t offset)
{
	const struct source_lane lane = { member->topic, partition };

	if (source_begin(member->source, &lane, offset, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
}

/* Takes `count` lanes that are given and begins each at the start. */
static void
given(struct member *member, int count)
{
	for (int i = 0; i < count; i++) {
		hear(member, SOURCE_ASSIGNED);
		begin_at(member, member->event.lane.partition, SOURCE_START);
	}
}

static void
hear_value(struct member *member, const char *value)
{
	hear(member, SOURCE_MESSAGE);
	CHECK_SLICE(member->event.message.value, value);
}

static const char *
numbered(int number)
{
	static char text[16];

	snprintf(text, sizeof(text), "m%d", number);
	return text;
}

static void
fill(const char *topic, int32_t partition, int from, int to)
{
	for (int i = from; i < to; i++)
		CHECK_INT(kit_send(topic, partition, "key", numbered(i)), i);
}

TEST(a_lane_is_given_and_read_from_its_start)
{
	struct member m;
	const char *topic = kit_name("t"), *service = kit_name("svc");

	kit_topic(topic, 1);
	fill(topic, 0, 0, 3);
	join(&m, service, topic, "");
	given(&m, 1);
	CHECK_SLICE(m.event.lane.topic, topic);
	for (int i = 0; i < 3; i++) {
		hear_value(&m, numbered(i));
		CHECK_INT(m.event.offset, i);
		CHECK_INT(m.event.lane.partition, 0);
		CHECK_SLICE(m.event.message.key, "key");
		CHECK_SLICE(m.event.message.topic, topic);
		CHECK(m.event.message.time_us > 1700000000000000);
	}
	CHECK(!heard(&m, 50));
	CHECK_INT(source_behind(m.source), 0);
	/* The waker tells of one that comes later. */
	fill(topic, 0, 3, 4);
	hear_value(&m, "m3");
	leave(&m);
}

TEST(headers_and_tombstones_come_as_they_were_sent)
{
	const char *topic = kit_name("t"), *service = kit_name("svc");
	struct kafka_options o = kit_options(KAFKA_IDEMPOTENT, service);
	const struct message_header headers[] = { { SLICE("a"), SLICE("1") }, { SLICE("a"), SLICE_NONE } };
	struct message sent = { .topic = slice_text(topic), .headers = headers, .header_count = 2, .tombstone = true };
	struct topic_wanted wanted = { .name = slice_text(topic) };
	struct publisher *publisher;
	struct bus_mark mark = { 0 };
	struct member m;

	kit_topic(topic, 1);
	join(&m, service, topic, "");
	CHECK(kafka_publisher_open(&o, &publisher, &fault) == 0);
	CHECK_INT(publisher_fence(publisher, &fault), BUS_DONE);
	CHECK_INT(publisher_read_mark(publisher, &m.arena, &mark, &fault), BUS_DONE);
	CHECK_INT(publisher_topics(publisher, &wanted, 1, &fault), BUS_DONE);
	CHECK_INT(publisher_begin(publisher, &fault), BUS_DONE);
	CHECK_INT(publisher_send(publisher, &sent, &fault), BUS_DONE);
	sent.tombstone = false;
	sent.header_count = 0;
	CHECK_INT(publisher_send(publisher, &sent, &fault), BUS_DONE);
	CHECK_INT(publisher_commit(publisher, &mark, &fault), BUS_DONE);
	while (publisher_settle(publisher, 1000000000, &fault) == BUS_AGAIN)
		;
	publisher_close(publisher);
	given(&m, 1);
	hear(&m, SOURCE_MESSAGE);
	CHECK(m.event.message.tombstone);
	CHECK_INT(m.event.message.header_count, 2);
	CHECK_SLICE(m.event.message.headers[0].name, "a");
	CHECK_SLICE(m.event.message.headers[0].value, "1");
	CHECK_INT(m.event.message.headers[1].value.size, 0);
	CHECK_INT(m.event.message.key.size, 0);
	hear(&m, SOURCE_MESSAGE);
	CHECK(!m.event.message.tombstone);
	CHECK_INT(m.event.message.value.size, 0);
	leave(&m);
}

TEST(a_lane_begins_where_it_is_told_and_goes_back_when_told)
{
	struct member m;
	const char *topic = kit_name("t"), *service = kit_name("svc");

	kit_topic(topic, 2);
	fill(topic, 0, 0, 200);
	fill(topic, 1, 0, 200);
	join(&m, service, topic, "");
	for (int i = 0; i < 2; i++) {
		hear(&m, SOURCE_ASSIGNED);
		begin_at(&m, m.event.lane.partition, 100);
	}
	int at[2] = { 100, 100 }, backs = 0;
	/* Goes back a little again and again; the other lane must lose and repeat nothing. */
	while (at[0] < 200 || at[1] < 200) {
		hear(&m, SOURCE_MESSAGE);
		int lane = m.event.lane.partition;
		CHECK_INT(m.event.offset, at[lane]);
		CHECK_SLICE(m.event.message.value, numbered(at[lane]));
		at[lane]++;
		if (at[lane] % 25 == 0 && backs < 20) {
			backs++;
			at[lane] -= 10;
			begin_at(&m, lane, (uint64_t)at[lane]);
		}
	}
	CHECK(backs >= 8);
	CHECK(!heard(&m, 50));
	leave(&m);
}

TEST(a_paused_lane_gives_nothing_and_keeps_its_place)
{
	struct member m;
	const char *topic = kit_name("t"), *service = kit_name("svc");

	kit_topic(topic, 2);
	fill(topic, 0, 0, 60);
	fill(topic, 1, 0, 60);
	join(&m, service, topic, "");
	given(&m, 2);
	const struct source_lane lanes[2] = { { slice_text(topic), 0 }, { slice_text(topic), 1 } };
	/* Before a single message of it was taken. */
	CHECK_INT(source_pause(m.source, &lanes[1], true, &fault), 0);
	int at[2] = { 0, 0 };
	while (at[0] < 30) {
		hear(&m, SOURCE_MESSAGE);
		CHECK_INT(m.event.lane.partition, 0);
		CHECK_INT(m.event.offset, at[0]++);
	}
	/* In the middle, many times, on and off. */
	for (int round = 0; round < 12; round++) {
		CHECK_INT(source_pause(m.source, &lanes[round % 2], true, &fault), 0);
		CHECK_INT(source_pause(m.source, &lanes[(round + 1) % 2], false, &fault), 0);
		for (int i = 0; i < 4 && at[(round + 1) % 2] < 60; i++) {
			hear(&m, SOURCE_MESSAGE);
			CHECK_INT(m.event.lane.partition, (round + 1) % 2);
			CHECK_INT(m.event.offset, at[(round + 1) % 2]++);
		}
	}
	/* A lane that goes back while it is paused stays so. */
	CHECK_INT(source_pause(m.source, &lanes[0], true, &fault), 0);
	CHECK_INT(source_pause(m.source, &lanes[1], true, &fault), 0);
	begin_at(&m, 0, 5);
	CHECK(!heard(&m, 300));
	at[0] = 5;
	CHECK_INT(source_pause(m.source, &lanes[0], false, &fault), 0);
	CHECK_INT(source_pause(m.source, &lanes[1], false, &fault), 0);
	while (at[0] < 60 || at[1] < 60) {
		hear(&m, SOURCE_MESSAGE);
		CHECK_INT(m.event.offset, at[m.event.lane.partition]++);
	}
	leave(&m);
}

TEST(a_second_member_takes_lanes_over_and_gives_them_back_when_it_leaves)
{
	struct member a, b;
	const char *topic = kit_name("t"), *service = kit_name("svc");
	int revoked = 0, assigned_a = 0, assigned_b = 0;

	kit_topic(topic, 2);
	fill(topic, 0, 0, 5);
	fill(topic, 1, 0, 5);
	join(&a, service, topic, "");
	given(&a, 2);
	for (int i = 0; i < 10; i++)
		hear(&a, SOURCE_MESSAGE);
	join(&b, service, topic, "");
	/* The first goes on being polled: lanes are not taken from one who does not listen. */
	int32_t of_b = -1;
	for (int i = 0; (assigned_a < 1 || assigned_b < 1) && i < 600; i++) {
		if (heard(&a, 50)) {
			if (a.event.what == SOURCE_REVOKED) {
				revoked++;
			} else {
				CHECK_INT(a.event.what, SOURCE_ASSIGNED);
				assigned_a++;
				begin_at(&a, a.event.lane.partition, 5);
			}
		}
		/* Once it has its lane it would go on to what lies there. */
		if (assigned_b == 0 && heard(&b, 50)) {
			CHECK_INT(b.event.what, SOURCE_ASSIGNED);
			assigned_b++;
			of_b = b.event.lane.partition;
			begin_at(&b, of_b, 3);
		}
	}
	CHECK_INT(revoked, 2);
	CHECK_INT(assigned_a, 1);
	CHECK_INT(assigned_b, 1);
	hear_value(&b, "m3");
	hear_value(&b, "m4");
	const struct source_lane taken = { slice_text(topic), of_b };
	CHECK_INT(source_begin(a.source, &taken, 0, &fault), -1);
	CHECK_TEXT(fault.code, "not_ours");
	leave(&b);
	/* Both come to the first, within the time of a session at most: its end was told. */
	int64_t start = clock_mono_ns(clock_real());
	hear(&a, SOURCE_REVOKED);
	given(&a, 2);
	CHECK(clock_mono_ns(clock_real()) - start < 2500000000);
	leave(&a);
}

TEST(a_member_with_an_instance_finds_its_lanes_again)
{
	struct member a, b;
	const char *topic = kit_name("t"), *service = kit_name("svc");

	kit_topic(topic, 2);
	join(&a, service, topic, "host-1");
	given(&a, 2);
	leave(&a);
	join(&b, service, topic, "host-1");
	given(&b, 2);
	leave(&b);
}

TEST(of_two_with_the_same_instance_one_is_refused)
{
	struct member a, b;
	const char *topic = kit_name("t"), *service = kit_name("svc");
	int failed = 0;

	kit_topic(topic, 1);
	join(&a, service, topic, "host-1");
	given(&a, 1);
	join(&b, service, topic, "host-1");
	given(&b, 1);
	for (int i = 0; failed == 0 && i < 1000; i++) {
		mailbox_wait(a.box, 10000000);
		failed = source_next(a.source, &a.arena, &a.event, &fault);
	}
	CHECK_INT(failed, -1);
	CHECK_INT(fault.class, FAULT_CONFIG);
	/* For good. */
	CHECK_INT(source_next(a.source, &a.arena, &a.event, &fault), -1);
	leave(&a);
	leave(&b);
}

TEST(an_offset_that_is_gone_is_told_and_nothing_is_skipped)
{
	struct member m;
	const char *topic = kit_name("t"), *service = kit_name("svc");

	kit_topic(topic, 2);
	fill(topic, 0, 0, 5);
	fill(topic, 1, 0, 5);
	join(&m, service, topic, "");
	for (int i = 0; i < 2; i++) {
		hear(&m, SOURCE_ASSIGNED);
		begin_at(&m, m.event.lane.partition, m.event.lane.partition == 0 ? 1000 : 4);
	}
	bool gone = false, other = false;
	while (!gone || !other) {
		CHECK(heard(&m, 30000));
		if (m.event.what == SOURCE_GONE) {
			CHECK_INT(m.event.lane.partition, 0);
			CHECK_TEXT(fault.code, "offset_gone");
			CHECK(strstr(fault.text, "1000") != NULL);
			gone = true;
		} else {
			CHECK_INT(m.event.what, SOURCE_MESSAGE);
			CHECK_INT(m.event.lane.partition, 1);
			other = true;
		}
	}
	CHECK(!heard(&m, 300));
	/* Somebody decided: it goes on from there. */
	begin_at(&m, 0, 3);
	hear_value(&m, "m3");
	CHECK_INT(m.event.lane.partition, 0);
	hear_value(&m, "m4");
	leave(&m);
}

TEST(offsets_before_the_first_are_gone_too)
{
	struct member m;
	const char *topic = kit_name("t"), *service = kit_name("svc");

	kit_topic(topic, 1);
	fill(topic, 0, 0, 10);
	kit_trim(topic, 0, 6);
	join(&m, service, topic, "");
	hear(&m, SOURCE_ASSIGNED);
	begin_at(&m, 0, 2);
	hear(&m, SOURCE_GONE);
	CHECK(strstr(fault.text, "6 to 10") != NULL);
	CHECK_INT(m.event.offset, 6);
	begin_at(&m, 0, SOURCE_START);
	hear_value(&m, "m6");
	leave(&m);
}

/* Data, headers and key as large as an entry of the log may have them: what is recorded can be sent [I9]. */
TEST(the_largest_message_that_a_log_records_is_sent_and_heard)
{
	static char data[ENTRY_DATA_MAX], header[STORE_HEADERS_MAX], key[STORE_KEY_MAX];
	const struct message_header headers[] = { { SLICE("large"), { header, sizeof(header) } } };
	const struct bus_mark mark = { .found = true, .store = SLICE("s"), .incarnation = 1, .owner = SLICE("o") };
	struct member m;
	const char *topic = kit_name("t"), *service = kit_name("svc");
	const struct message message = { .topic = slice_text(topic),
					 .key = { key, sizeof(key) },
					 .value = { data, sizeof(data) },
					 .headers = headers,
					 .header_count = 1 };
	struct topic_wanted wanted = { .name = slice_text(topic) };
	struct publisher *publisher;
	struct bus_mark found;
	enum bus_answer answer;

	join(&m, service, topic, "");
	options.partitions = 1;
	CHECK_INT(kafka_publisher_open(&options, &publisher, &fault), 0);
	while ((answer = publisher_fence(publisher, &fault)) == BUS_AGAIN)
		;
	CHECK_INT(answer, BUS_DONE);
	while ((answer = publisher_read_mark(publisher, &m.arena, &found, &fault)) == BUS_AGAIN)
		;
	CHECK_INT(answer, BUS_DONE);
	while ((answer = publisher_topics(publisher, &wanted, 1, &fault)) == BUS_AGAIN)
		;
	CHECK_INT(answer, BUS_DONE);
	CHECK_INT(publisher_begin(publisher, &fault), BUS_DONE);
	CHECK_INT(publisher_send(publisher, &message, &fault), BUS_DONE);
	CHECK_INT(publisher_commit(publisher, &mark, &fault), BUS_DONE);
	while ((answer = publisher_settle(publisher, 1000000000, &fault)) == BUS_AGAIN)
		;
	CHECK_INT(answer, BUS_DONE);
	publisher_close(publisher);
	given(&m, 1);
	hear(&m, SOURCE_MESSAGE);
	CHECK_INT(m.event.message.value.size, sizeof(data));
	CHECK_INT(m.event.message.headers[0].value.size, sizeof(header));
	leave(&m);
}

TEST(what_is_not_committed_or_undone_is_never_given)
{
	struct member m;
	const char *topic = kit_name("t"), *service = kit_name("svc");
	struct kafka_options o = kit_options(KAFKA_TRANSACTIONAL, service);
	struct topic_wanted wanted = { .name = slice_text(topic) };
	struct message message = { .topic = slice_text(topic), .value = SLICE("undone") };
	struct publisher *publisher;
	struct bus_mark mark = { 0 };

	kit_topic(topic, 1);
	join(&m, service, topic, "");
	given(&m, 1);
	CHECK(kafka_publisher_open(&o, &publisher, &fault) == 0);
	while (publisher_fence(publisher, &fault) == BUS_AGAIN)
		;
	while (publisher_read_mark(publisher, &m.arena, &mark, &fault) == BUS_AGAIN)
		;
	CHECK_INT(publisher_topics(publisher, &wanted, 1, &fault), BUS_DONE);
	CHECK_INT(publisher_begin(publisher, &fault), BUS_DONE);
	CHECK_INT(publisher_send(publisher, &message, &fault), BUS_DONE);
	const struct kit_record *records;
	while (kit_read(topic, false, &records) < 1)
		;
	CHECK(!heard(&m, 200));
	while (publisher_undo(publisher, &fault) == BUS_AGAIN)
		;
	CHECK_INT(publisher_begin(publisher, &fault), BUS_DONE);
	message.value = SLICE("kept");
	CHECK_INT(publisher_send(publisher, &message, &fault), BUS_DONE);
	CHECK_INT(publisher_commit(publisher, &mark, &fault), BUS_DONE);
	while (publisher_settle(publisher, 1000000000, &fault) == BUS_AGAIN)
		;
	hear_value(&m, "kept");
	CHECK(m.event.offset > 1);
	/* The marker behind it is no message that waits. */
	CHECK(!heard(&m, 600));
	CHECK_INT(source_behind(m.source), 0);
	publisher_close(publisher);
	leave(&m);
}

struct hinted {
	const char *topic;
	char group[64];
};

static bool
is_hinted(void *self)
{
	const struct hinted *wanted = self;

	return kit_committed(wanted->group, wanted->topic, 0) == 2;
}

TEST(what_is_durable_is_hinted_to_the_group)
{
	struct member m;
	const char *topic = kit_name("t"), *service = kit_name("svc");
	const struct source_lane lane = { slice_text(topic), 0 };
	struct hinted wanted = { .topic = topic };

	snprintf(wanted.group, sizeof(wanted.group), "%s.stock.reservations", service);
	kit_topic(topic, 1);
	fill(topic, 0, 0, 3);
	join(&m, service, topic, "");
	given(&m, 1);
	hear_value(&m, "m0");
	source_told(m.source, &lane, 2);
	leave(&m);
	CHECK(kit_wait(is_hinted, &wanted, 10));
}

TEST(a_topic_that_is_made_later_is_found)
{
	struct member m;
	const char *topic = kit_name("t"), *service = kit_name("svc");
	int failed = 0;

	join(&m, service, topic, "");
	for (int i = 0; failed == 0 && i < 1000; i++) {
		mailbox_wait(m.box, 10000000);
		failed = source_next(m.source, &m.arena, &m.event, &fault);
	}
	CHECK_INT(failed, -1);
	CHECK_INT(fault.class, FAULT_AWAY);
	CHECK(strstr(fault.text, topic) != NULL);
	kit_topic(topic, 1);
	given(&m, 1);
	fill(topic, 0, 0, 1);
	hear_value(&m, "m0");
	leave(&m);
}

TEST_MAIN()
