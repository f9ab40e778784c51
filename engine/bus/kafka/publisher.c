/* SPDX-License-Identifier: MIT */
/*
 * The publisher [I9]. One producer with the transactional id "<service>.relay.<store id>.0": to initialise it is to
 * fence every older one with that id, and to have what they left open aborted or completed. Only after that the mark is
 * read back, and every transaction carries the next mark as its last record.
 *
 *     OPEN -fence-> FENCED -read_mark-> READY -begin-> BEGUN -commit-> ENDING -settle: DONE-> READY
 *                                         ^              |               |
 *                                         +----undo------+-----undo------+ settle: UNDO
 *
 * A mark that hangs is ended from READY (hanging.c), and read again from FENCED.
 *
 * Without transactions there is nothing to fence and no mark; commit is a flush, and a record that was given up makes
 * all since the last mark of the caller's go again. Records wait without a limit of time there, because one that was
 * given up while later ones were taken would leave a gap.
 *
 * Before the first record of a topic its partitions are asked for once: else the library holds it back for up to 1 s.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bus/kafka/mark.h"
#include "bus/kafka/publisher_inside.h"
#include "bus/kafka/topics.h"

#define TRANSACTION_TIMEOUT_MS 10000
#define SENDS_PER_POLL         128

/* Of each record; those that were given up count. What we threw away ourselves is none of those. */
static void
report(rd_kafka_t *producer, const rd_kafka_message_t *record, void *self)
{
	struct kafka_publisher *p = self;

	(void)producer;
	if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR || record->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
	    record->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		return;
	if (p->reports.failed++ > 0)
		return;
	kafka_fault(record->err, "not delivered", NULL, &p->reports.first);
	fault_prefix(&p->reports.first, "%s, key %.*s, %zu bytes", rd_kafka_topic_name(record->rkt),
		     record->key_len < 80 ? (int)record->key_len : 80, (const char *)record->key, record->len);
}

/* ---- fence, mark, topics ---- */

static enum bus_answer
fence(struct publisher *publisher, struct fault *fault)
{
	struct kafka_publisher *p = kafka_inside(publisher);
	enum bus_answer answer = BUS_DONE;

	must(p->stage == OPEN);
	if (publisher->transactional) {
		rd_kafka_error_t *error = rd_kafka_init_transactions(p->producer, 2 * KAFKA_SLICE_MS);
		answer = kafka_patience(&p->patience, kafka_answer(p->producer, error, "fence", fault), fault);
	}
	if (answer == BUS_DONE)
		p->stage = FENCED;
	return answer;
}

/* A handle of the producer's whose partitions are known before the first record. */
static enum bus_answer
warm_up(struct kafka_publisher *p, const char *name, rd_kafka_topic_t **handle, struct fault *fault)
{
	const struct rd_kafka_metadata *found = NULL;

	if (*handle == NULL)
		*handle = rd_kafka_topic_new(p->producer, name, NULL);
	if (*handle == NULL) {
		kafka_fault(rd_kafka_last_error(), name, NULL, fault);
		return BUS_LOST;
	}
	rd_kafka_resp_err_t code = rd_kafka_metadata(p->producer, 0, *handle, &found, 2 * KAFKA_SLICE_MS);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		kafka_fault(code, name, NULL, fault);
		return BUS_AGAIN;
	}
	rd_kafka_metadata_destroy(found);
	return BUS_DONE;
}

static enum bus_answer
open_control(struct kafka_publisher *p, struct fault *fault)
{
	const struct kafka_shape shape = { 1, p->options->replication > 0 ? p->options->replication : -1, true };
	int32_t partitions;
	enum bus_answer answer = kafka_topic(p->desk, p->control, &shape, &partitions, fault);

	if (answer == BUS_DONE)
		answer = warm_up(p, p->control, &p->control_topic, fault);
	if (answer != BUS_DONE)
		return answer;
	p->mark_reader = kafka_mark_reader_open(p->options, p->control, p->key, fault);
	return p->mark_reader != NULL ? BUS_DONE : BUS_LOST;
}

static enum bus_answer
read_mark(struct publisher *publisher, struct arena *arena, struct bus_mark *mark, struct fault *fault)
{
	struct kafka_publisher *p = kafka_inside(publisher);
	enum bus_answer answer = BUS_DONE;
	bool heard = false;

	must(p->stage == FENCED);
	if (publisher->transactional) {
		if (p->mark_reader == NULL)
			answer = open_control(p, fault);
		if (answer == BUS_DONE)
			answer = kafka_mark_read(p->mark_reader, p->desk, arena, mark, &heard, fault);
		/* An open transaction of another store is waited for as long as it may take. */
		if (answer == BUS_AGAIN && heard)
			p->patience.since_ns = 0;
		answer = kafka_patience(&p->patience, answer, fault);
	}
	if (answer == BUS_AGAIN)
		return answer;
	buf_clear(&p->value);
	if (answer == BUS_DONE && mark->hangs)
		buf_add(&p->value, kafka_mark_open_value(p->mark_reader));
	if (answer == BUS_DONE)
		p->stage = READY;
	kafka_mark_reader_close(p->mark_reader);
	p->mark_reader = NULL;
	return answer;
}

struct known_topic *
kafka_find_topic(struct kafka_publisher *p, struct slice name)
{
	for (size_t i = 0; i < p->topic_count; i++) {
		struct known_topic *t = &p->topics[(p->last_topic + i) % p->topic_count];
		if (slice_equal(slice_from(t->name, t->name_size), name)) {
			p->last_topic = (size_t)(t - p->topics);
			return t;
		}
	}
	return NULL;
}

/* A place in the table; it counts once the topic is ready. */
static struct known_topic *
topic_place(struct kafka_publisher *p, struct slice name, struct fault *fault)
{
	if (name.size == 0 || name.size > TOPIC_NAME_MAX) {
		fault_set(fault, FAULT_INPUT, "kafka_topic", "a topic's name has 1 to %d characters", TOPIC_NAME_MAX);
		return NULL;
	}
	if (p->topic_count == p->topic_room) {
		size_t room = p->topic_room == 0 ? 16 : 2 * p->topic_room;
		struct known_topic *more = realloc(p->topics, room * sizeof(*more));
		if (more == NULL) {
			fault_set(fault, FAULT_MEMORY, NULL, "no memory for a topic");
			return NULL;
		}
		p->topics = more;
		p->topic_room = room;
	}
	struct known_topic *t = &p->topics[p->topic_count];
	*t = (struct known_topic){ .name_size = name.size };
	memcpy(t->name, name.data, name.size);
	return t;
}

static enum bus_answer
topics(struct publisher *publisher, struct topic_wanted *wanted, size_t count, struct fault *fault)
{
	struct kafka_publisher *p = kafka_inside(publisher);
	const struct kafka_shape shape = {
		.partitions = p->options->partitions > 0 ? p->options->partitions : -1,
		.replication = p->options->replication > 0 ? p->options->replication : -1,
	};

	must(p->stage == FENCED || p->stage == READY);
	for (size_t i = 0; i < count; i++) {
		struct known_topic *t = kafka_find_topic(p, wanted[i].name);
		enum bus_answer answer = BUS_DONE;
		if (t == NULL) {
			t = topic_place(p, wanted[i].name, fault);
			if (t == NULL)
				return BUS_LOST;
			answer = kafka_topic(p->desk, t->name, &shape, &t->partitions, fault);
			if (answer == BUS_DONE)
				answer = warm_up(p, t->name, &t->handle, fault);
			if (answer == BUS_DONE)
				p->topic_count++;
			else if (t->handle != NULL)
				rd_kafka_topic_destroy(t->handle);
		}
		answer = kafka_patience(&p->patience, answer, fault);
		if (answer != BUS_DONE)
			return answer;
		wanted[i].partitions = t->partitions;
	}
	return BUS_DONE;
}

/* ---- a transaction ---- */

static enum bus_answer
begin(struct publisher *publisher, struct fault *fault)
{
	struct kafka_publisher *p = kafka_inside(publisher);
	enum bus_answer answer = BUS_DONE;

	must(p->stage == READY);
	rd_kafka_poll(p->producer, 0);
	/* Beginning has no time-out, and was seen to hang after a fatal error. */
	if (kafka_is_lost(p->producer, "begin", fault))
		return BUS_LOST;
	if (p->resumed || p->ending.resumed) {
		fault_set(fault, FAULT_AWAY, "kafka_resumed",
			  "the end of a transaction took longer than %d s, or was lost; a new client goes on",
			  KAFKA_END_MS / 1000);
		return BUS_LOST;
	}
	if (publisher->transactional)
		answer = kafka_answer(p->producer, rd_kafka_begin_transaction(p->producer), "begin", fault);
	if (answer == BUS_DONE) {
		p->reports.failed = 0;
		p->stage = BEGUN;
	}
	return answer;
}

static rd_kafka_headers_t *
headers_of(const struct message *message)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(message->header_count);

	for (size_t i = 0; headers != NULL && i < message->header_count; i++) {
		const struct message_header *h = &message->headers[i];
		if (rd_kafka_header_add(headers, h->name.data, (ssize_t)h->name.size,
					h->value.data != NULL ? h->value.data : "",
					(ssize_t)h->value.size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
			rd_kafka_headers_destroy(headers);
			headers = NULL;
		}
	}
	return headers;
}

static enum bus_answer
refused(struct kafka_publisher *p, rd_kafka_resp_err_t code, const char *topic, struct fault *fault)
{
	if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
		kafka_fault(code, topic, NULL, fault);
		rd_kafka_poll(p->producer, 10);
		return BUS_AGAIN;
	}
	if (kafka_is_lost(p->producer, topic, fault))
		return BUS_LOST;
	bool failed = code == RD_KAFKA_RESP_ERR__STATE;
	p->denied = p->denied || failed || code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
	kafka_fault(code, topic, failed ? "the transaction has failed already, the log says why" : NULL, fault);
	return BUS_UNDO;
}

enum bus_answer
kafka_put(struct kafka_publisher *p, rd_kafka_topic_t *topic, int32_t partition, const struct message *message,
	  struct fault *fault)
{
	rd_kafka_headers_t *headers = headers_of(message);

	if (headers == NULL) {
		fault_set(fault, FAULT_MEMORY, NULL, "no memory for a message");
		return BUS_AGAIN;
	}
	if (++p->sends % SENDS_PER_POLL == 0)
		rd_kafka_poll(p->producer, 0);
	/* An empty value is not "no value": only a null pointer makes a tombstone. */
	const char *key = message->key.size > 0 ? message->key.data : NULL;
	const char *value = message->tombstone ? NULL : message->value.data != NULL ? message->value.data : "";
	rd_kafka_resp_err_t code = rd_kafka_producev(
		p->producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY((void *)(uintptr_t)key, message->key.size),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)value, message->tombstone ? 0 : message->value.size),
		RD_KAFKA_V_TIMESTAMP(message->time_us / 1000), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return BUS_DONE;
	rd_kafka_headers_destroy(headers);
	return refused(p, code, rd_kafka_topic_name(topic), fault);
}

static enum bus_answer
send_message(struct publisher *publisher, const struct message *message, struct fault *fault)
{
	struct kafka_publisher *p = kafka_inside(publisher);

	must(p->stage == BEGUN);
	struct known_topic *t = kafka_find_topic(p, message->topic);
	must(t != NULL);
	return kafka_put(p, t->handle, RD_KAFKA_PARTITION_UA, message, fault);
}

static enum bus_answer
commit(struct publisher *publisher, const struct bus_mark *mark, struct fault *fault)
{
	struct kafka_publisher *p = kafka_inside(publisher);
	enum bus_answer answer = BUS_DONE;

	must(p->stage == BEGUN);
	if (publisher->transactional) {
		buf_clear(&p->value);
		kafka_mark_encode(mark, &p->value);
		if (p->value.failed) {
			fault_set(fault, FAULT_MEMORY, NULL, "no memory for a mark");
			return BUS_AGAIN;
		}
		const struct message record = { .key = slice_text(p->key), .value = buf_slice(&p->value) };
		answer = kafka_put(p, p->control_topic, 0, &record, fault);
	}
	if (answer == BUS_DONE) {
		p->stage = ENDING;
		kafka_ending_start(&p->ending);
	}
	return answer;
}

static enum bus_answer
settle(struct publisher *publisher, int64_t wait_ns, struct fault *fault)
{
	struct kafka_publisher *p = kafka_inside(publisher);

	must(p->stage == ENDING);
	enum bus_answer answer = kafka_ending_wait(&p->ending, wait_ns, fault);
	if (answer == BUS_DONE)
		p->stage = READY;
	if (answer == BUS_UNDO && fault != NULL && fault->native == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
		p->denied = true;
	/* Brokers that were away may lose the end of what is undone; what hangs is found after the next fence. */
	if (answer == BUS_UNDO && fault != NULL &&
	    (fault->native == RD_KAFKA_RESP_ERR__TIMED_OUT || fault->native == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT))
		p->resumed = true;
	return kafka_patience(&p->patience, answer, fault);
}

/* Without transactions: what is queued is dropped, what is on its way is waited for. */
static enum bus_answer
drop(struct kafka_publisher *p, struct fault *fault)
{
	rd_kafka_purge(p->producer, RD_KAFKA_PURGE_F_QUEUE);
	rd_kafka_resp_err_t code = rd_kafka_flush(p->producer, KAFKA_SLICE_MS);

	if (kafka_is_lost(p->producer, "undo", fault))
		return BUS_LOST;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return BUS_DONE;
	kafka_fault(code, "undo", NULL, fault);
	return BUS_AGAIN;
}

/* A topic that refused us once is refused by the library until its metadata is asked for, every five minutes. */
static void
ask_topics(struct kafka_publisher *p)
{
	struct fault ignored;

	p->denied = false;
	for (size_t i = 0; i < p->topic_count; i++)
		(void)warm_up(p, p->topics[i].name, &p->topics[i].handle, &ignored);
	if (p->control_topic != NULL)
		(void)warm_up(p, p->control, &p->control_topic, &ignored);
}

static enum bus_answer
undo(struct publisher *publisher, struct fault *fault)
{
	struct kafka_publisher *p = kafka_inside(publisher);
	enum bus_answer answer;

	must(!p->ending.begun);
	if (p->stage == READY)
		return BUS_DONE;
	must(p->stage == BEGUN || p->stage == ENDING);
	if (publisher->transactional)
		answer =
			kafka_answer(p->producer, rd_kafka_abort_transaction(p->producer, KAFKA_END_MS), "undo", fault);
	else
		answer = drop(p, fault);
	p->resumed = p->resumed || (publisher->transactional && answer == BUS_AGAIN);
	if (answer == BUS_DONE)
		p->stage = READY;
	if (answer == BUS_DONE && p->denied)
		ask_topics(p);
	/* There is nothing below undoing. */
	if (answer == BUS_UNDO)
		answer = BUS_LOST;
	return kafka_patience(&p->patience, answer, fault);
}

/* ---- opening and closing ---- */

static void
close_publisher(struct publisher *publisher)
{
	struct kafka_publisher *p = kafka_inside(publisher);
	struct fault ignored;

	if (p->producer != NULL) {
		kafka_ending_fini(&p->ending);
		/* A broker that is there answers at once; otherwise the next fence decides it. */
		if (publisher->transactional && p->stage == BEGUN && !kafka_is_lost(p->producer, "close", &ignored))
			kafka_answer(p->producer, rd_kafka_abort_transaction(p->producer, 100), "close", &ignored);
		rd_kafka_purge(p->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		for (size_t i = 0; i < p->topic_count; i++)
			rd_kafka_topic_destroy(p->topics[i].handle);
		if (p->control_topic != NULL)
			rd_kafka_topic_destroy(p->control_topic);
		rd_kafka_destroy(p->producer);
	}
	kafka_mark_reader_close(p->mark_reader);
	kafka_end_looking(p);
	if (p->desk != NULL)
		rd_kafka_destroy(p->desk);
	buf_fini(&p->value);
	free(p->topics);
	free(p);
}

static const struct publisher_ops ops = {
	.close = close_publisher,
	.fence = fence,
	.read_mark = read_mark,
	.topics = topics,
	.begin = begin,
	.send = send_message,
	.commit = commit,
	.settle = settle,
	.undo = undo,
	.end_hanging = kafka_end_hanging,
};

static rd_kafka_t *
open_producer(struct kafka_publisher *p, struct fault *fault)
{
	const struct kafka_options *o = p->options;
	bool transactional = p->door.transactional;
	uint32_t timeout_ms = o->transaction_timeout_ms > 0 ? o->transaction_timeout_ms : TRANSACTION_TIMEOUT_MS;
	char id[512], timeout[16], message_timeout[16];

	snprintf(id, sizeof(id), "%.*s.relay.%.*s.0", SLICE_ARG(o->service), SLICE_ARG(o->store_id));
	snprintf(timeout, sizeof(timeout), "%u", timeout_ms);
	/* Below the transaction's, so that an outage is told as one that can be undone. */
	snprintf(message_timeout, sizeof(message_timeout), "%u", transactional ? timeout_ms - timeout_ms / 10 : 0);
	const struct kafka_setting settings[] = {
		{ "transactional.id", transactional ? id : NULL },
		{ "transaction.timeout.ms", transactional ? timeout : NULL },
		{ "message.timeout.ms", message_timeout },
		{ "enable.idempotence", "true" },
		{ "partitioner", "murmur2_random" },
		/* Of all: the end of a transaction waits for reports, and looks only every 10 ms when none comes. */
		{ "delivery.report.only.error", "false" },
		{ NULL, NULL },
	};
	static const struct kafka_setting defaults[] = { { "message.max.bytes", KAFKA_MESSAGE_MAX }, { NULL, NULL } };
	rd_kafka_conf_t *conf = kafka_configure(o, defaults, settings, fault);
	if (conf == NULL)
		return NULL;
	rd_kafka_conf_set_dr_msg_cb(conf, report);
	rd_kafka_conf_set_opaque(conf, p);
	return kafka_client(RD_KAFKA_PRODUCER, conf, fault);
}

static int
set_names(struct kafka_publisher *p, struct fault *fault)
{
	const struct kafka_options *o = p->options;
	int control = snprintf(p->control, sizeof(p->control), "%.*s" KAFKA_CONTROL_SUFFIX, SLICE_ARG(o->service));
	int key = snprintf(p->key, sizeof(p->key), "%.*s/0", SLICE_ARG(o->store_id));

	if (control >= (int)sizeof(p->control) || key >= (int)sizeof(p->key))
		return fault_set(fault, FAULT_CONFIG, "kafka_setting",
				 "the name of the service or the store is too long");
	return 0;
}

int
kafka_publisher_open(void *options, struct publisher **publisher, struct fault *fault)
{
	struct kafka_publisher *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return fault_set(fault, FAULT_MEMORY, NULL, "no memory for a publisher");
	p->options = options;
	p->door = (struct publisher){
		.ops = &ops, .kind = "kafka", .transactional = p->options->mode == KAFKA_TRANSACTIONAL, .carries = true
	};
	buf_init(&p->value, 64 << 10);
	if (set_names(p, fault) == 0 && (p->desk = kafka_desk(p->options, false, fault)) != NULL &&
	    (p->producer = open_producer(p, fault)) != NULL) {
		if (kafka_ending_init(&p->ending, p->producer, p->door.transactional, &p->reports, fault) == 0) {
			*publisher = &p->door;
			return 0;
		}
		rd_kafka_destroy(p->producer);
		p->producer = NULL;
	}
	close_publisher(&p->door);
	return -1;
}
