/* SPDX-License-Identifier: MIT */
/*
 * Errors of the brokers, each at its step of the protocol, against the library's own mock of a cluster: into which of
 * the three classes of bus/publisher.h each goes, and what the publisher is good for afterwards. And what a source
 * tells when its brokers, its topic or its offset are not there.
 *
 * The mock of librdkafka 2.0.2 answers any request with any error, but it has no transactions: it never fences by
 * itself, keeps no markers and shows what was aborted; it does not know CreateTopics (topics are made through it, and
 * any that is asked for); no retention takes records from it. Fencing, isolation and retention are shown on a real
 * broker (publisher_test.c, source_test.c) and the sequences of crashes in tests/model.
 */
#include "base/arena.h"
#include "kafka/kit.h"
#include "support/check.h"

#include <librdkafka/rdkafka_mock.h> /* after rdkafka.h, which kit.h has */

/* Numbers of requests in Kafka's protocol. */
enum request {
	PRODUCE = 0,
	FETCH = 1,
	LIST_OFFSETS = 2,
	METADATA = 3,
	FIND_COORDINATOR = 10,
	JOIN_GROUP = 11,
	INIT_PRODUCER = 22,
	ADD_PARTITIONS = 24,
	END_TXN = 26
};

static struct fault fault;
static struct arena arena;

static struct mock {
	rd_kafka_t *host;
	rd_kafka_mock_cluster_t *cluster;
	const char *topic;
	struct kafka_options options;
	struct publisher *publisher;
} mock;

static void
mock_close(void)
{
	publisher_close(mock.publisher);
	if (mock.cluster != NULL)
		rd_kafka_mock_cluster_destroy(mock.cluster);
	if (mock.host != NULL)
		rd_kafka_destroy(mock.host);
	mock = (struct mock){ .host = NULL };
}

static void
mock_open(void)
{
	char why[256], control[300];

	mock_close(); /* of a test that failed */
	if (arena.cap_bytes == 0)
		arena_init(&arena, 1 << 22);
	arena_clear(&arena);
	mock.host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));
	CHECK(mock.host != NULL);
	mock.cluster = rd_kafka_mock_cluster_new(mock.host, 1);
	CHECK(mock.cluster != NULL);
	kit_use(rd_kafka_mock_cluster_bootstraps(mock.cluster));
	mock.topic = kit_name("orders");
	mock.options = kit_options(KAFKA_TRANSACTIONAL, kit_name("svc"));
	mock.options.transaction_timeout_ms = 6000;
	snprintf(control, sizeof(control), "%.*s.relay-state", SLICE_ARG(mock.options.service));
	CHECK(rd_kafka_mock_topic_create(mock.cluster, control, 1, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
	CHECK(rd_kafka_mock_topic_create(mock.cluster, mock.topic, 2, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void
push(enum request request, rd_kafka_resp_err_t code, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		rd_kafka_mock_push_request_errors(mock.cluster, (int16_t)request, 1, code);
}

/* A call until it answers something else than "again"; *agains counts. */
#define PATIENTLY(answer, call)                                                                                        \
	do {                                                                                                           \
		int again = 0;                                                                                         \
		while ((answer = (call)) == BUS_AGAIN && ++again < 20)                                                 \
			;                                                                                              \
	} while (0)

/* Opens a publisher and goes as far as it may send. */
static enum bus_answer
ready(void)
{
	struct topic_wanted wanted = { .name = slice_text(mock.topic) };
	struct bus_mark mark;
	enum bus_answer answer;

	publisher_close(mock.publisher);
	mock.publisher = NULL;
	CHECK(kafka_publisher_open(&mock.options, &mock.publisher, &fault) == 0);
	PATIENTLY(answer, publisher_fence(mock.publisher, &fault));
	if (answer == BUS_DONE)
		PATIENTLY(answer, publisher_read_mark(mock.publisher, &arena, &mark, &fault));
	if (answer == BUS_DONE)
		PATIENTLY(answer, publisher_topics(mock.publisher, &wanted, 1, &fault));
	return answer;
}

/* One transaction of one message. */
static enum bus_answer
transaction(log_position position)
{
	const struct message message = { .topic = slice_text(mock.topic), .key = SLICE("k"), .value = SLICE("v") };
	const struct bus_mark mark = { .found = true, .store = SLICE("6f0c"), .position = position };
	enum bus_answer answer = publisher_begin(mock.publisher, &fault);

	if (answer == BUS_DONE)
		PATIENTLY(answer, publisher_send(mock.publisher, &message, &fault));
	if (answer == BUS_DONE)
		answer = publisher_commit(mock.publisher, &mark, &fault);
	if (answer == BUS_DONE)
		PATIENTLY(answer, publisher_settle(mock.publisher, 1000000000, &fault));
	return answer;
}

/* ---- the three classes ---- */

struct error_case {
	enum request request;
	rd_kafka_resp_err_t error;
	unsigned times;
	enum bus_answer answer;
	const char *code;        /* of the fault, when it is not DONE */
	enum fault_class class_; /* likewise */
};

#define PASSES(request, error, times)                                                                                  \
	{                                                                                                              \
		request, RD_KAFKA_RESP_ERR_##error, times, BUS_DONE, "", FAULT_NONE                                    \
	}
#define UNDOES(request, error, class_, code)                                                                           \
	{                                                                                                              \
		request, RD_KAFKA_RESP_ERR_##error, 1, BUS_UNDO, code, class_                                          \
	}
#define LOSES(request, error, class_, code)                                                                            \
	{                                                                                                              \
		request, RD_KAFKA_RESP_ERR_##error, 1, BUS_LOST, code, class_                                          \
	}

static void
check_answer(const struct error_case *c, enum bus_answer answer)
{
	const char *name = rd_kafka_err2name(c->error);

	if (answer != c->answer)
		CHECK_FAIL("%s to request %d: answer %d, not %d (%s)", name, (int)c->request, (int)answer,
			   (int)c->answer, fault.code);
	if (answer != BUS_DONE && (strcmp(fault.code, c->code) != 0 || fault.class != c->class_))
		CHECK_FAIL("%s to request %d: %s of class %d, not %s of %d", name, (int)c->request, fault.code,
			   (int)fault.class, c->code, (int)c->class_);
}

/* Undoes and sends again until it is through: one that was refused leaves a gap that undoes the next one too. */
static enum bus_answer
persistently(enum bus_answer answer, log_position position)
{
	for (int undone = 0; answer == BUS_UNDO && undone < 5; undone++) {
		PATIENTLY(answer, publisher_undo(mock.publisher, &fault));
		if (answer == BUS_DONE)
			answer = transaction(position);
	}
	return answer;
}

static enum bus_answer
provoke(const struct error_case *c, bool early)
{
	mock_open();
	fault_clear(&fault);
	if (!early)
		CHECK_INT(ready(), BUS_DONE);
	push(c->request, c->error, c->times);
	return early ? ready() : transaction(2);
}

/*
 * One that is lost is so for good, and the next one does all that it could not. On a crowded machine the answer of a
 * broker may overtake the sender: the library then takes no more records and does not say why, so it is done over.
 */
static void
check_case(const struct error_case *c, bool early)
{
	enum bus_answer answer = provoke(c, early);

	for (int overtaken = 0; answer == BUS_UNDO && strcmp(fault.code, "kafka_state") == 0 && overtaken < 10;
	     overtaken++)
		answer = provoke(c, early);
	check_answer(c, answer);
	rd_kafka_mock_clear_request_errors(mock.cluster, (int16_t)c->request);
	if (c->answer == BUS_LOST)
		CHECK_INT(ready(), BUS_DONE);
	if (c->answer == BUS_UNDO && persistently(BUS_UNDO, 3) != BUS_DONE)
		CHECK_FAIL("%s: cannot be sent again: %s", rd_kafka_err2name(c->error), fault.text);
	answer = persistently(transaction(4), 4);
	if (answer == BUS_LOST && strcmp(fault.code, "kafka_resumed") == 0 && ready() == BUS_DONE)
		answer = persistently(transaction(5), 5);
	if (answer != BUS_DONE)
		CHECK_FAIL("%s: nothing can be sent afterwards: %s", rd_kafka_err2name(c->error), fault.text);
	mock_close();
}

TEST(errors_of_the_fence)
{
	static const struct error_case cases[] = {
		PASSES(FIND_COORDINATOR, COORDINATOR_NOT_AVAILABLE, 2),
		PASSES(INIT_PRODUCER, COORDINATOR_LOAD_IN_PROGRESS, 2),
		PASSES(INIT_PRODUCER, CONCURRENT_TRANSACTIONS, 2),
		PASSES(INIT_PRODUCER, NOT_COORDINATOR, 1),
		PASSES(INIT_PRODUCER, _TRANSPORT, 1),
		LOSES(FIND_COORDINATOR, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, FAULT_CONFIG,
		      "kafka_transactional_id_authorization_fa"),
		LOSES(INIT_PRODUCER, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, FAULT_CONFIG,
		      "kafka_transactional_id_authorization_fa"),
		LOSES(INIT_PRODUCER, CLUSTER_AUTHORIZATION_FAILED, FAULT_CONFIG, "kafka_cluster_authorization_failed"),
		LOSES(INIT_PRODUCER, INVALID_TRANSACTION_TIMEOUT, FAULT_CONFIG, "kafka_invalid_transaction_timeout"),
		LOSES(INIT_PRODUCER, PRODUCER_FENCED, FAULT_BUSY, "fenced"),
		LOSES(INIT_PRODUCER, INVALID_PRODUCER_EPOCH, FAULT_BUSY, "fenced"),
	};

	for (size_t i = 0; i < countof(cases); i++)
		check_case(&cases[i], true);
}

TEST(errors_of_adding_partitions)
{
	static const struct error_case cases[] = {
		PASSES(ADD_PARTITIONS, CONCURRENT_TRANSACTIONS, 2),
		PASSES(ADD_PARTITIONS, COORDINATOR_LOAD_IN_PROGRESS, 2),
		PASSES(ADD_PARTITIONS, NOT_COORDINATOR, 2),
		PASSES(ADD_PARTITIONS, _TRANSPORT, 1),
		UNDOES(ADD_PARTITIONS, TOPIC_AUTHORIZATION_FAILED, FAULT_CONFIG, "kafka_topic_authorization_failed"),
		UNDOES(ADD_PARTITIONS, INVALID_PRODUCER_ID_MAPPING, FAULT_AWAY, "kafka_invalid_producer_id_mapping"),
		LOSES(ADD_PARTITIONS, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, FAULT_CONFIG,
		      "kafka_transactional_id_authorization_fa"),
		LOSES(ADD_PARTITIONS, INVALID_TXN_STATE, FAULT_AWAY, "kafka_invalid_txn_state"),
		LOSES(ADD_PARTITIONS, PRODUCER_FENCED, FAULT_BUSY, "fenced"),
		LOSES(ADD_PARTITIONS, INVALID_PRODUCER_EPOCH, FAULT_BUSY, "fenced"),
	};

	for (size_t i = 0; i < countof(cases); i++)
		check_case(&cases[i], false);
}

TEST(errors_of_sending)
{
	static const struct error_case cases[] = {
		PASSES(PRODUCE, NOT_LEADER_FOR_PARTITION, 2),
		PASSES(PRODUCE, REQUEST_TIMED_OUT, 2),
		PASSES(PRODUCE, NOT_ENOUGH_REPLICAS, 2),
		PASSES(PRODUCE, _TRANSPORT, 1),
		UNDOES(PRODUCE, MSG_SIZE_TOO_LARGE, FAULT_LIMIT, "kafka_msg_size_too_large"),
		UNDOES(PRODUCE, INVALID_RECORD, FAULT_INPUT, "kafka_invalid_record"),
		UNDOES(PRODUCE, CLUSTER_AUTHORIZATION_FAILED, FAULT_CONFIG, "kafka_cluster_authorization_failed"),
		UNDOES(PRODUCE, TOPIC_AUTHORIZATION_FAILED, FAULT_CONFIG, "kafka_topic_authorization_failed"),
		UNDOES(PRODUCE, UNKNOWN_PRODUCER_ID, FAULT_AWAY, "kafka_unknown_producer_id"),
		LOSES(PRODUCE, OUT_OF_ORDER_SEQUENCE_NUMBER, FAULT_AWAY, "kafka_out_of_order_sequence_number"),
		LOSES(PRODUCE, INVALID_PRODUCER_EPOCH, FAULT_BUSY, "fenced"),
	};

	for (size_t i = 0; i < countof(cases); i++)
		check_case(&cases[i], false);
}

TEST(errors_of_the_end)
{
	static const struct error_case cases[] = {
		PASSES(END_TXN, NOT_COORDINATOR, 2),
		PASSES(END_TXN, COORDINATOR_NOT_AVAILABLE, 2),
		PASSES(END_TXN, CONCURRENT_TRANSACTIONS, 1),
		PASSES(END_TXN, COORDINATOR_LOAD_IN_PROGRESS, 1),
		PASSES(END_TXN, _TRANSPORT, 1),
		UNDOES(END_TXN, INVALID_PRODUCER_ID_MAPPING, FAULT_AWAY, "kafka_invalid_producer_id_mapping"),
		LOSES(END_TXN, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, FAULT_CONFIG,
		      "kafka_transactional_id_authorization_fa"),
		LOSES(END_TXN, INVALID_TXN_STATE, FAULT_AWAY, "kafka_invalid_txn_state"),
		LOSES(END_TXN, PRODUCER_FENCED, FAULT_BUSY, "fenced"),
		LOSES(END_TXN, INVALID_PRODUCER_EPOCH, FAULT_BUSY, "fenced"),
	};

	for (size_t i = 0; i < countof(cases); i++)
		check_case(&cases[i], false);
}

/* ---- outages ---- */

TEST(brokers_that_are_down_are_waited_for)
{
	enum bus_answer answer;

	mock_open();
	CHECK(kafka_publisher_open(&mock.options, &mock.publisher, &fault) == 0);
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	CHECK_INT(publisher_fence(mock.publisher, &fault), BUS_AGAIN);
	CHECK_INT(fault.class, FAULT_AWAY);
	rd_kafka_mock_broker_set_up(mock.cluster, 1);
	PATIENTLY(answer, publisher_fence(mock.publisher, &fault));
	CHECK_INT(answer, BUS_DONE);
	CHECK_INT(ready(), BUS_DONE);
	CHECK_INT(transaction(1), BUS_DONE);
	mock_close();
}

/* The end of a transaction survives an outage that is shorter than the transaction. */
TEST(an_outage_during_the_end_is_again_and_then_done)
{
	const struct message message = { .value = SLICE("v"), .key = SLICE("k") };
	const struct bus_mark mark = { .found = true, .store = SLICE("6f0c"), .position = 2 };
	struct message sent = message;
	enum bus_answer answer;

	mock_open();
	sent.topic = slice_text(mock.topic);
	CHECK_INT(ready(), BUS_DONE);
	CHECK_INT(transaction(1), BUS_DONE);
	CHECK_INT(publisher_begin(mock.publisher, &fault), BUS_DONE);
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	CHECK_INT(publisher_send(mock.publisher, &sent, &fault), BUS_DONE);
	CHECK_INT(publisher_commit(mock.publisher, &mark, &fault), BUS_DONE);
	CHECK_INT(publisher_settle(mock.publisher, 1500000000, &fault), BUS_AGAIN);
	CHECK_INT(fault.class, FAULT_AWAY);
	rd_kafka_mock_broker_set_up(mock.cluster, 1);
	PATIENTLY(answer, publisher_settle(mock.publisher, 1000000000, &fault));
	CHECK_INT(answer, BUS_DONE);
	CHECK_INT(transaction(3), BUS_DONE);
	mock_close();
}

/* The library may have lost count of its answers when an end was resumed: nothing is begun with that client. */
TEST(after_an_end_that_was_resumed_a_new_client_goes_on)
{
	const struct bus_mark mark = { .found = true, .store = SLICE("6f0c"), .position = 2 };
	struct message sent = { .value = SLICE("v"), .key = SLICE("k") };
	enum bus_answer answer;

	mock_open();
	mock.options.transaction_timeout_ms = 20000;
	sent.topic = slice_text(mock.topic);
	CHECK_INT(ready(), BUS_DONE);
	CHECK_INT(publisher_begin(mock.publisher, &fault), BUS_DONE);
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	CHECK_INT(publisher_send(mock.publisher, &sent, &fault), BUS_DONE);
	CHECK_INT(publisher_commit(mock.publisher, &mark, &fault), BUS_DONE);
	while (publisher_settle(mock.publisher, 1000000000, &fault) == BUS_AGAIN &&
	       strcmp(fault.code, "kafka_commit") == 0)
		;
	CHECK_TEXT(fault.code, "kafka_timed_out");
	rd_kafka_mock_broker_set_up(mock.cluster, 1);
	PATIENTLY(answer, publisher_settle(mock.publisher, 1000000000, &fault));
	CHECK_INT(answer, BUS_DONE);
	CHECK_INT(publisher_begin(mock.publisher, &fault), BUS_LOST);
	CHECK_TEXT(fault.code, "kafka_resumed");
	CHECK_INT(ready(), BUS_DONE);
	CHECK_INT(transaction(3), BUS_DONE);
	mock_close();
}

/* One that is longer undoes it, and the same goes through later, with a client that looks for what hangs. */
TEST(an_outage_that_is_too_long_undoes)
{
	enum bus_answer answer;

	mock_open();
	mock.options.transaction_timeout_ms = 2000;
	CHECK_INT(ready(), BUS_DONE);
	CHECK_INT(transaction(1), BUS_DONE);
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	answer = transaction(2);
	CHECK_INT(answer, BUS_UNDO);
	CHECK_INT(fault.class, FAULT_AWAY);
	rd_kafka_mock_broker_set_up(mock.cluster, 1);
	answer = persistently(answer, 2);
	CHECK_INT(answer, BUS_LOST);
	CHECK_TEXT(fault.code, "kafka_resumed");
	CHECK_INT(ready(), BUS_DONE);
	CHECK_INT(transaction(2), BUS_DONE);
	mock_close();
}

/* Refused by the library itself, before any broker is asked. */
TEST(a_message_that_is_too_large_is_a_limit)
{
	static char large[2 << 20];
	struct message message = { .key = SLICE("k"), .value = { large, sizeof(large) } };

	mock_open();
	message.topic = slice_text(mock.topic);
	CHECK_INT(ready(), BUS_DONE);
	CHECK_INT(publisher_begin(mock.publisher, &fault), BUS_DONE);
	CHECK_INT(publisher_send(mock.publisher, &message, &fault), BUS_UNDO);
	CHECK_INT(fault.class, FAULT_LIMIT);
	CHECK_TEXT(fault.code, "kafka_msg_size_too_large");
	CHECK_INT(persistently(BUS_UNDO, 2), BUS_DONE);
	mock_close();
}

/* Without transactions a record that was given up makes all since the mark go again, and there is nobody to fence. */
TEST(without_transactions_what_is_refused_goes_again)
{
	mock_open();
	mock.options.mode = KAFKA_IDEMPOTENT;
	CHECK_INT(ready(), BUS_DONE);
	push(PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 2);
	CHECK_INT(transaction(1), BUS_DONE);
	push(PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1);
	CHECK_INT(transaction(2), BUS_UNDO);
	CHECK_INT(fault.class, FAULT_LIMIT);
	CHECK_INT(persistently(BUS_UNDO, 2), BUS_DONE);
	mock_close();
}

/* ---- the source ---- */

static struct source *source;

static void
source_ready(const char *topic)
{
	static struct slice names[1];
	const struct source_wanted wanted = { .group = SLICE("g"), .topics = names, .topic_count = 1 };

	names[0] = slice_text(topic);
	CHECK(kafka_source_open(&mock.options, &wanted, &source, &fault) == 0);
}

/* Until there is news, or a fault when `faults`; begins lanes at `offset`. */
static enum source_news
heard(struct source_event *event, uint64_t offset, bool faults)
{
	for (int i = 0; i < 3000; i++) {
		if (source_next(source, &arena, event, &fault) != 0) {
			if (faults)
				return SOURCE_NOTHING;
			continue;
		}
		if (event->what == SOURCE_ASSIGNED)
			CHECK(source_begin(source, &event->lane, event->lane.partition == 0 ? offset : 0, &fault) == 0);
		else if (event->what != SOURCE_NOTHING)
			return event->what;
		rd_kafka_poll(mock.host, 10);
	}
	CHECK_FAIL("there is no news");
}

/* One message in partition 0, by a producer of its own. */
static void
put(const char *topic)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *producer;
	char why[256];

	CHECK(rd_kafka_conf_set(conf, "bootstrap.servers", kit_brokers(), why, sizeof(why)) == RD_KAFKA_CONF_OK);
	producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	CHECK(producer != NULL);
	CHECK(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE("v", 1),
				RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR);
	CHECK(rd_kafka_flush(producer, 20000) == RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_destroy(producer);
}

/* Three messages in partition 0. */
static void
fill(void)
{
	for (int i = 0; i < 3; i++)
		put(mock.topic);
}

TEST(a_source_goes_on_after_errors_that_pass)
{
	struct source_event event;

	mock_open();
	fill();
	push(FETCH, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 1);
	push(FETCH, RD_KAFKA_RESP_ERR__TRANSPORT, 1);
	push(JOIN_GROUP, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 1);
	source_ready(mock.topic);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_INT(heard(&event, 0, false), SOURCE_MESSAGE);
		CHECK_INT(event.offset, i);
	}
	/* Nothing is lost or skipped by an outage. */
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	for (int i = 0; i < 20; i++) {
		(void)source_next(source, &arena, &event, &fault);
		CHECK(event.what == SOURCE_NOTHING);
		rd_kafka_poll(mock.host, 20);
	}
	rd_kafka_mock_broker_set_up(mock.cluster, 1);
	put(mock.topic);
	CHECK_INT(heard(&event, 3, false), SOURCE_MESSAGE);
	CHECK_INT(event.offset, 3);
	source_close(source);
	mock_close();
}

TEST(an_offset_that_is_not_there_is_gone_and_one_that_is_goes_on)
{
	struct source_event event;

	mock_open();
	fill();
	source_ready(mock.topic);
	CHECK_INT(heard(&event, 700, false), SOURCE_GONE);
	CHECK_TEXT(fault.code, "offset_gone");
	CHECK_INT(event.offset, 0); /* the oldest that is there */
	/* A broker that only says so is asked, and not believed. */
	push(FETCH, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, 1);
	CHECK(source_begin(source, &event.lane, 1, &fault) == 0);
	CHECK_INT(heard(&event, 1, false), SOURCE_MESSAGE);
	CHECK_INT(event.offset, 1);
	source_close(source);
	mock_close();
}

TEST(a_topic_that_is_not_there_is_told_and_found_later)
{
	struct source_event event;

	mock_open();
	fill();
	/* The mock makes any topic that is asked for. */
	rd_kafka_mock_topic_set_error(mock.cluster, mock.topic, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	source_ready(mock.topic);
	CHECK_INT(heard(&event, 0, true), SOURCE_NOTHING);
	CHECK_TEXT(fault.code, "kafka_unknown_topic_or_part");
	CHECK_INT(fault.class, FAULT_AWAY);
	rd_kafka_mock_topic_set_error(mock.cluster, mock.topic, RD_KAFKA_RESP_ERR_NO_ERROR);
	CHECK_INT(heard(&event, 0, false), SOURCE_MESSAGE);
	source_close(source);
	mock_close();
}

TEST(a_group_that_refuses_us_is_a_matter_of_settings)
{
	struct source_event event;

	mock_open();
	push(JOIN_GROUP, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 1);
	source_ready(mock.topic);
	CHECK_INT(heard(&event, 0, true), SOURCE_NOTHING);
	CHECK_TEXT(fault.code, "kafka_group_authorization_failed");
	CHECK_INT(fault.class, FAULT_CONFIG);
	source_close(source);
	mock_close();
}

TEST_MAIN()
