/* SPDX-License-Identifier: MIT */
/* The publisher against a real broker [I9]: what is visible and what is not, through fences, undoing and crashes. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "kafka/kit.h"
#include "support/check.h"

static struct fault fault;
static struct arena arena;

#define CHECK_DONE(call)                                                                                               \
	do {                                                                                                           \
		enum bus_answer check_answer = (call);                                                                 \
		if (check_answer != BUS_DONE)                                                                          \
			CHECK_FAIL("%s answers %d: %s (%s)", #call, (int)check_answer, fault.text, fault.code);        \
	} while (0)

/* A call until it answers something else than "again". */
#define PATIENTLY(answer, call)                                                                                        \
	do {                                                                                                           \
		int again = 0;                                                                                         \
		while ((answer = (call)) == BUS_AGAIN && ++again < 60)                                                 \
			;                                                                                              \
	} while (0)

static enum bus_answer
started(struct publisher *publisher, struct bus_mark *mark)
{
	enum bus_answer answer;

	if (arena.cap_bytes == 0)
		arena_init(&arena, 1 << 20);
	PATIENTLY(answer, publisher_fence(publisher, &fault));
	if (answer == BUS_DONE)
		PATIENTLY(answer, publisher_read_mark(publisher, &arena, mark, &fault));
	return answer;
}

static struct publisher *
opened(struct kafka_options *options)
{
	struct publisher *publisher;

	if (kafka_publisher_open(options, &publisher, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	return publisher;
}

static enum bus_answer
know(struct publisher *publisher, const char *topic)
{
	struct topic_wanted wanted = { .name = slice_text(topic) };
	enum bus_answer answer;

	PATIENTLY(answer, publisher_topics(publisher, &wanted, 1, &fault));
	return answer;
}

static enum bus_answer
send_text(struct publisher *publisher, const char *topic, const char *key, const char *value)
{
	const struct message message = { .topic = slice_text(topic),
					 .key = slice_text(key),
					 .value = slice_text(value) };

	return publisher_send(publisher, &message, &fault);
}

static enum bus_answer
committed(struct publisher *publisher, log_position position)
{
	const struct bus_mark mark = { .found = true,
				       .store = SLICE("6f0c"),
				       .incarnation = 3,
				       .position = position,
				       .link = { { 0xab, (uint8_t)position } },
				       .owner = SLICE("host \"a\"/12"),
				       .epoch = 7,
				       .at_us = 1700000000000000 };
	enum bus_answer answer = publisher_commit(publisher, &mark, &fault);

	if (answer == BUS_DONE)
		PATIENTLY(answer, publisher_settle(publisher, 1000000000, &fault));
	return answer;
}

static log_position
mark_now(struct kafka_options *options)
{
	struct publisher *publisher = opened(options);
	struct bus_mark mark;

	CHECK_DONE(started(publisher, &mark));
	publisher_close(publisher);
	return mark.position;
}

TEST(nothing_was_published_when_the_control_topic_is_new)
{
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	struct publisher *publisher = opened(&options);
	struct bus_mark mark;

	CHECK_DONE(started(publisher, &mark));
	CHECK(!mark.found);
	CHECK(publisher->transactional && publisher->carries);
	publisher_close(publisher);
}

TEST(messages_and_mark_become_visible_together_and_are_read_back)
{
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	struct publisher *publisher = opened(&options);
	const char *topic = kit_name("t");
	const struct kit_record *records;
	const struct message_header headers[] = { { SLICE("ce_id"), SLICE("1") },
						  { SLICE("x"), SLICE_NONE },
						  { SLICE("x"), SLICE("\0\xff") } };
	struct message message = { .topic = slice_text(topic),
				   .key = SLICE("bank.account/1"),
				   .value = SLICE("{\"a\":1}"),
				   .headers = headers,
				   .header_count = 3,
				   /* Not older than what a broker keeps: it would be gone before it is read. */
				   .time_us = clock_wall_us(clock_real()) };
	const int64_t time_ms = message.time_us / 1000;
	struct bus_mark mark;

	CHECK_DONE(started(publisher, &mark));
	CHECK_DONE(know(publisher, topic));
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_DONE(publisher_send(publisher, &message, &fault));
	message.tombstone = true, message.header_count = 0;
	CHECK_DONE(publisher_send(publisher, &message, &fault));
	message.tombstone = false, message.value = SLICE_NONE;
	CHECK_DONE(publisher_send(publisher, &message, &fault));
	CHECK_INT(kit_read(topic, true, &records), 0);
	CHECK_DONE(committed(publisher, 41));
	CHECK_INT(kit_await(topic, 3, &records), 3);
	CHECK_SLICE(records[0].key, "bank.account/1");
	CHECK_SLICE(records[0].value, "{\"a\":1}");
	CHECK_INT(records[0].time_ms, time_ms);
	CHECK_INT(records[0].header_count, 3);
	CHECK_SLICE(records[0].headers[0].name, "ce_id");
	CHECK_INT(records[0].headers[1].value.size, 0);
	CHECK_INT(records[0].headers[2].value.size, 2);
	CHECK(records[1].tombstone && !records[2].tombstone);
	/* What Java's clients choose for this key among four partitions. */
	CHECK_INT(records[0].partition, records[2].partition);
	publisher_close(publisher);

	publisher = opened(&options);
	CHECK_DONE(started(publisher, &mark));
	CHECK(mark.found);
	CHECK_INT(mark.position, 41);
	CHECK_INT(mark.incarnation, 3);
	CHECK_INT(mark.epoch, 7);
	CHECK_INT(mark.at_us, 1700000000000000);
	CHECK_INT(mark.link.bytes[0], 0xab);
	CHECK_INT(mark.link.bytes[1], 41);
	CHECK_INT(mark.link.bytes[15], 0);
	CHECK_SLICE(mark.store, "6f0c");
	CHECK_SLICE(mark.owner, "host \"a\"/12");
	publisher_close(publisher);
}

/* What the store's own keys get from Java's default partitioner (murmur2), computed by its formula. */
static uint32_t
murmur2(const char *key)
{
	const uint32_t m = 0x5bd1e995;
	size_t size = strlen(key);
	uint32_t h = 0x9747b28c ^ (uint32_t)size;

	for (; size >= 4; size -= 4, key += 4) {
		const uint8_t *b = (const uint8_t *)key;
		uint32_t k = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
		k *= m;
		k ^= k >> 24;
		h = h * m ^ k * m;
	}
	for (size_t i = size; i > 0; i--)
		h ^= (uint32_t)(uint8_t)key[i - 1] << (8 * (i - 1));
	if (size > 0)
		h *= m;
	h ^= h >> 13;
	h *= m;
	return h ^ h >> 15;
}

TEST(keys_go_where_java_clients_put_them)
{
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	struct publisher *publisher = opened(&options);
	const char *topic = kit_name("t");
	const struct kit_record *records;
	struct bus_mark mark;
	char key[32];

	CHECK_DONE(started(publisher, &mark));
	CHECK_DONE(know(publisher, topic));
	CHECK_DONE(publisher_begin(publisher, &fault));
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "bank.account/%d", i * 7919);
		CHECK_DONE(send_text(publisher, topic, key, key));
	}
	CHECK_DONE(committed(publisher, 1));
	CHECK_INT(kit_await(topic, 100, &records), 100);
	for (int i = 0; i < 100; i++)
		CHECK_INT(records[i].partition, (murmur2(arena_text(&arena, records[i].key)) & 0x7fffffff) % 4);
	publisher_close(publisher);
}

TEST(topics_are_made_once_and_their_partitions_told)
{
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	struct publisher *publisher = opened(&options);
	struct topic_wanted wanted[2] = { { .name = slice_text(kit_name("a")) },
					  { .name = slice_text(kit_name("b")) } };
	struct bus_mark mark;
	enum bus_answer answer;

	kit_topic(wanted[1].name.data, 7);
	CHECK_DONE(started(publisher, &mark));
	PATIENTLY(answer, publisher_topics(publisher, wanted, 2, &fault));
	CHECK_DONE(answer);
	CHECK_INT(wanted[0].partitions, 4);
	CHECK_INT(wanted[1].partitions, 7);
	struct topic_wanted bad = { .name = SLICE("no/such name") };
	CHECK_INT(publisher_topics(publisher, &bad, 1, &fault), BUS_LOST);
	CHECK_INT(fault.class, FAULT_INPUT);
	publisher_close(publisher);
}

TEST(what_is_undone_is_never_visible_and_the_publisher_goes_on)
{
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	struct publisher *publisher = opened(&options);
	const char *topic = kit_name("t");
	const struct kit_record *records;
	struct bus_mark mark;
	enum bus_answer answer;

	CHECK_DONE(started(publisher, &mark));
	CHECK_DONE(know(publisher, topic));
	CHECK_DONE(publisher_undo(publisher, &fault)); /* nothing is begun */
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_DONE(send_text(publisher, topic, "k", "undone"));
	PATIENTLY(answer, publisher_undo(publisher, &fault));
	CHECK_DONE(answer);
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_DONE(send_text(publisher, topic, "k", "kept"));
	CHECK_DONE(committed(publisher, 2));
	CHECK_INT(kit_await(topic, 1, &records), 1);
	CHECK_SLICE(records[0].value, "kept");
	publisher_close(publisher);
}

/* The older one is told at its next step, whatever that is, and what it had open is undone [I9]. */
static void
fence_while_open(bool flushed, bool by_undo)
{
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	struct publisher *old = opened(&options), *new = opened(&options);
	const char *topic = kit_name("t");
	const struct kit_record *records;
	struct bus_mark mark;
	enum bus_answer answer;

	CHECK_DONE(started(old, &mark));
	CHECK_DONE(know(old, topic));
	CHECK_DONE(publisher_begin(old, &fault));
	CHECK_DONE(send_text(old, topic, "k", "one"));
	CHECK_DONE(committed(old, 1));
	CHECK_DONE(publisher_begin(old, &fault));
	CHECK_DONE(send_text(old, topic, "k", "open"));
	/* Until its record lies on the broker, which only a reader of everything can tell. */
	for (int i = 0; flushed && kit_read(topic, false, &records) < 2; i++)
		CHECK(i < 100);
	CHECK_DONE(started(new, &mark));
	CHECK_INT(mark.position, 1);
	if (by_undo)
		PATIENTLY(answer, publisher_undo(old, &fault));
	else
		answer = committed(old, 2);
	CHECK_INT(answer, BUS_LOST);
	CHECK_TEXT(fault.code, "fenced");
	publisher_close(old);
	CHECK_DONE(know(new, topic));
	CHECK_DONE(publisher_begin(new, &fault));
	CHECK_DONE(send_text(new, topic, "k", "two"));
	CHECK_DONE(committed(new, 2));
	CHECK_INT(kit_await(topic, 2, &records), 2);
	CHECK_SLICE(records[0].value, "one");
	CHECK_SLICE(records[1].value, "two");
	publisher_close(new);
}

TEST(a_newer_publisher_fences_one_that_commits)
{
	fence_while_open(true, false);
}

TEST(a_newer_publisher_fences_one_that_undoes)
{
	fence_while_open(true, true);
}

TEST(a_newer_publisher_fences_one_that_was_idle)
{
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	struct publisher *old = opened(&options), *new = opened(&options);
	const char *topic = kit_name("t");
	const struct kit_record *records;
	struct bus_mark mark;
	enum bus_answer answer;

	CHECK_DONE(started(old, &mark));
	CHECK_DONE(know(old, topic));
	CHECK_DONE(started(new, &mark));
	answer = publisher_begin(old, &fault);
	if (answer == BUS_DONE)
		answer = send_text(old, topic, "k", "late");
	if (answer == BUS_DONE)
		answer = committed(old, 9);
	CHECK_INT(answer, BUS_LOST);
	CHECK_TEXT(fault.code, "fenced");
	/* And stays so, without waiting. */
	publisher_close(old);
	CHECK_INT(kit_read(topic, true, &records), 0);
	publisher_close(new);
	CHECK_INT(mark_now(&options), 0);
}

TEST(a_transaction_that_outlives_its_timeout_is_fenced)
{
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	options.transaction_timeout_ms = 1000;
	struct publisher *publisher = opened(&options);
	const char *topic = kit_name("t");
	const struct kit_record *records;
	struct bus_mark mark;

	CHECK_DONE(started(publisher, &mark));
	CHECK_DONE(know(publisher, topic));
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_DONE(send_text(publisher, topic, "k", "slow"));
	for (int i = 0; kit_read(topic, false, &records) < 1; i++)
		CHECK(i < 100);
	/* The broker's end of it: a record of another behind it becomes visible. */
	kit_send(topic, records[0].partition, "k", "other");
	for (int i = 0; kit_read(topic, true, &records) < 1; i++)
		CHECK(i < 2000);
	CHECK_INT(committed(publisher, 1), BUS_LOST);
	CHECK_TEXT(fault.code, "fenced");
	publisher_close(publisher);
	CHECK_INT(mark_now(&options), 0);
	CHECK_INT(kit_await(topic, 1, &records), 1);
}

/* A process of its own that dies with a transaction as far as it is told to get. */
static void
die_after(struct kafka_options *options, const char *topic, bool commit)
{
	int pipe_ends[2];
	char byte;

	CHECK(pipe(pipe_ends) == 0);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		struct publisher *publisher;
		struct bus_mark mark;
		const struct kit_record *records;
		bool good = kafka_publisher_open(options, &publisher, &fault) == 0 &&
			    started(publisher, &mark) == BUS_DONE && know(publisher, topic) == BUS_DONE &&
			    publisher_begin(publisher, &fault) == BUS_DONE &&
			    send_text(publisher, topic, "k", "dying") == BUS_DONE;
		if (good && commit)
			good = committed(publisher, mark.position + 1) == BUS_DONE;
		else if (good)
			while (kit_read(topic, false, &records) < 1)
				;
		if (!good)
			fprintf(stderr, "child: %s\n", fault.text);
		good = good && write(pipe_ends[1], "+", 1) == 1;
		while (good)
			pause();
		_exit(1);
	}
	close(pipe_ends[1]);
	CHECK_INT(read(pipe_ends[0], &byte, 1), 1);
	close(pipe_ends[0]);
	CHECK(kill(child, SIGKILL) == 0);
	CHECK(waitpid(child, NULL, 0) == child);
}

TEST(killed_before_the_commit_leaves_nothing)
{
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	const char *topic = kit_name("t");
	const struct kit_record *records;

	die_after(&options, topic, false);
	CHECK_INT(mark_now(&options), 0);
	CHECK_INT(kit_read(topic, true, &records), 0);
	CHECK_INT(kit_read(topic, false, &records), 1);
}

TEST(killed_after_the_commit_leaves_message_and_mark)
{
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	const char *topic = kit_name("t");
	const struct kit_record *records;

	die_after(&options, topic, true);
	CHECK_INT(mark_now(&options), 1);
	CHECK_INT(kit_await(topic, 1, &records), 1);
}

TEST(an_open_transaction_of_another_store_does_not_hide_our_mark)
{
	const char *service = kit_name("svc"), *topic = kit_name("t");
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, service), foreign = options;
	struct publisher *publisher = opened(&options), *other;
	const struct kit_record *records;
	struct bus_mark mark;
	char control[300];

	foreign.store_id = SLICE("other");
	foreign.transaction_timeout_ms = 3000;
	other = opened(&foreign);
	CHECK_DONE(started(publisher, &mark));
	CHECK_DONE(started(other, &mark));
	CHECK_DONE(know(publisher, topic));
	/* The other's own mark stands on the partition, uncommitted, when ours follow it: its commit waits for a broker
	 * that has its record; so it sends to the control topic as if that were any topic. */
	snprintf(control, sizeof(control), "%s.relay-state", service);
	CHECK_DONE(know(other, control));
	CHECK_DONE(publisher_begin(other, &fault));
	CHECK_DONE(send_text(other, control, "other/0", "open"));
	for (int i = 0; kit_read(control, false, &records) < 1; i++)
		CHECK(i < 100);
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_DONE(send_text(publisher, topic, "k", "behind"));
	CHECK_DONE(committed(publisher, 2));
	CHECK_INT(kit_read(control, true, &records), 0);
	publisher_close(publisher);
	/* Waits for the broker to give the other up, then sees ours. */
	publisher = opened(&options);
	CHECK_DONE(started(publisher, &mark));
	CHECK_INT(mark.position, 2);
	publisher_close(publisher);
	publisher_close(other);
}

TEST(marks_of_many_other_stores_do_not_hide_ours)
{
	const char *service = kit_name("svc");
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, service), foreign = options;
	struct publisher *publisher = opened(&options), *other;
	struct bus_mark mark;
	char control[300];

	CHECK_DONE(started(publisher, &mark));
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_DONE(committed(publisher, 77));
	publisher_close(publisher);
	foreign.store_id = SLICE("other");
	other = opened(&foreign);
	CHECK_DONE(started(other, &mark));
	CHECK(!mark.found);
	snprintf(control, sizeof(control), "%s.relay-state", service);
	CHECK_DONE(know(other, control));
	CHECK_DONE(publisher_begin(other, &fault));
	for (int i = 0; i < 3000; i++)
		CHECK_DONE(send_text(other, control, "other/0", "much"));
	CHECK_DONE(committed(other, 1));
	publisher_close(other);
	CHECK_INT(mark_now(&options), 77);
}

TEST(a_record_that_is_too_large_is_named_and_the_next_batch_goes)
{
	struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	struct publisher *publisher = opened(&options);
	const char *topic = kit_name("t");
	const struct kit_record *records;
	struct bus_mark mark;
	static char large[1300000];

	memset(large, 'x', sizeof(large) - 1);
	CHECK_DONE(started(publisher, &mark));
	CHECK_DONE(know(publisher, topic));
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_INT(send_text(publisher, topic, "k", large), BUS_UNDO);
	CHECK_INT(fault.class, FAULT_LIMIT);
	enum bus_answer answer;
	PATIENTLY(answer, publisher_undo(publisher, &fault));
	CHECK_DONE(answer);
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_DONE(send_text(publisher, topic, "k", "small"));
	CHECK_DONE(committed(publisher, 1));
	publisher_close(publisher);

	/* The same where only the broker refuses it; two attempts may have to be undone before one passes. */
	const struct slice properties[] = { SLICE("message.max.bytes=4000000") };
	options.properties = properties, options.property_count = 1;
	publisher = opened(&options);
	CHECK_DONE(started(publisher, &mark));
	CHECK_DONE(know(publisher, topic));
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_DONE(send_text(publisher, topic, "key-7", large));
	CHECK_INT(committed(publisher, 2), BUS_UNDO);
	CHECK_INT(fault.class, FAULT_LIMIT);
	CHECK(strstr(fault.text, "key-7") != NULL && strstr(fault.text, topic) != NULL);
	for (int attempt = 0;; attempt++) {
		CHECK(attempt < 3);
		PATIENTLY(answer, publisher_undo(publisher, &fault));
		CHECK_DONE(answer);
		CHECK_DONE(publisher_begin(publisher, &fault));
		CHECK_DONE(send_text(publisher, topic, "k", "small again"));
		answer = committed(publisher, 2);
		if (answer == BUS_DONE)
			break;
		CHECK_INT(answer, BUS_UNDO);
	}
	CHECK_INT(kit_await(topic, 2, &records), 2);
	publisher_close(publisher);
}

TEST(without_transactions_a_refused_record_makes_the_batch_go_again)
{
	struct kafka_options options = kit_options(KAFKA_IDEMPOTENT, kit_name("svc"));
	const struct slice properties[] = { SLICE("message.max.bytes=4000000") };
	options.properties = properties, options.property_count = 1;
	struct publisher *publisher = opened(&options);
	const char *topic = kit_name("t");
	const struct kit_record *records;
	struct bus_mark mark;
	enum bus_answer answer;
	static char large[1300000];

	memset(large, 'x', sizeof(large) - 1);
	CHECK(!publisher->transactional);
	CHECK_DONE(started(publisher, &mark));
	CHECK(!mark.found);
	CHECK_DONE(know(publisher, topic));
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_DONE(send_text(publisher, topic, "k", "a"));
	CHECK_DONE(committed(publisher, 1));
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_DONE(send_text(publisher, topic, "k", "b"));
	CHECK_DONE(send_text(publisher, topic, "big", large));
	CHECK_DONE(send_text(publisher, topic, "k", "c"));
	answer = committed(publisher, 2);
	CHECK_INT(answer, BUS_UNDO);
	CHECK_INT(fault.class, FAULT_LIMIT);
	PATIENTLY(answer, publisher_undo(publisher, &fault));
	CHECK_DONE(answer);
	CHECK_DONE(publisher_begin(publisher, &fault));
	CHECK_DONE(send_text(publisher, topic, "k", "b"));
	CHECK_DONE(send_text(publisher, topic, "k", "c"));
	CHECK_DONE(committed(publisher, 2));
	size_t count = kit_await(topic, 3, &records);
	CHECK(count >= 3);
	CHECK_SLICE(records[count - 2].value, "b");
	CHECK_SLICE(records[count - 1].value, "c");
	publisher_close(publisher);
}

TEST(settings_that_are_wrong_or_ours_are_refused_with_their_name)
{
	const struct {
		const char *property, *reason;
	} bad[] = {
		{ "no.such=1", "no.such" },
		{ "linger.ms=soon", "linger.ms" },
		{ "transactional.id=x", "transactional.id" },
		{ "just words", "name=value" },
		{ "isolation.level=read_uncommitted", "isolation.level" },
	};

	for (size_t i = 0; i < countof(bad); i++) {
		struct kafka_options options = kit_options(KAFKA_TRANSACTIONAL, "svc");
		const struct slice property = slice_text(bad[i].property);
		struct publisher *publisher;
		options.properties = &property, options.property_count = 1;
		CHECK_INT(kafka_publisher_open(&options, &publisher, &fault), -1);
		CHECK_INT(fault.class, FAULT_CONFIG);
		CHECK(strstr(fault.text, bad[i].reason) != NULL);
	}
}

TEST_MAIN()
