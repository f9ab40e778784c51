/* SPDX-License-Identifier: MIT */
/*
 * A transaction that hangs is ended by one that is undone: it has the same producer id, so the end that it gets in a
 * partition is that of whatever lies open there. Which partitions those are is told by the keys, for the library puts
 * equal keys into equal partitions.
 *
 * Seen of Kafka 4 (KRaftMetadataCache.getPartitionLeaderEndpoint): while a partition has no leader, as when a lone
 * broker comes back from a kill, the coordinator takes it for deleted and completes without it. Whether to commit or to
 * abort was decided then, but nobody can ask. Where no part was ended either way, nobody has seen a message, and to
 * undo all is right; where one was, only a person can tell. A mark that does not tell of the messages was undone, and
 * so are the parts of its transaction that hang.
 */
#include <stdlib.h>

#include "base/log.h"
#include "bus/kafka/publisher_inside.h"
#include "bus/kafka/topics.h"

#define FLUSH_SLICES 20

static enum bus_answer
undecided(struct fault *fault, const char *topic, const char *why)
{
	fault_set(fault, FAULT_CONFIG, "hung",
		  "the brokers lost the end of a transaction, and in topic %s %s: whether its messages count is not "
		  "known here. See what the topics have, then go on with `moonlog relay rebuild --from POSITION`",
		  topic, why);
	return BUS_UNDO;
}

/* Does what is open at `offset` begin with this message? */
static enum bus_answer
begins_with(struct kafka_publisher *p, const struct known_topic *t, int32_t partition, int64_t offset,
	    const struct message *message, bool *is, struct fault *fault)
{
	rd_kafka_message_t *record = kafka_record_at(p->desk, t->name, partition, offset);
	rd_kafka_headers_t *headers;
	struct slice id = SLICE_NONE;
	const void *value;
	size_t size;

	*is = false;
	if (record == NULL) {
		fault_set(fault, FAULT_AWAY, "kafka_open", "%s: the broker gives no record", t->name);
		return BUS_AGAIN;
	}
	for (size_t i = 0; i < message->header_count; i++)
		if (slice_equal(message->headers[i].name, SLICE("ce_id")))
			id = message->headers[i].value;
	if (record->offset == offset && rd_kafka_message_headers(record, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
	    rd_kafka_header_get_last(headers, "ce_id", &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR)
		*is = id.size != 0 && slice_equal(slice_from(value, size), id);
	rd_kafka_message_destroy(record);
	return BUS_DONE;
}

/*
 * Is the end of the partition open? Told once for each, by the first message that comes to lie there. Without a mark
 * that hangs, what is open may well be somebody else's.
 */
static enum bus_answer
look_at_end(struct kafka_publisher *p, struct known_topic *t, int32_t partition, enum bus_hanging which,
	    const struct message *message, struct fault *fault)
{
	int64_t first, all, committed;
	enum bus_answer answer;
	bool open;

	if (t->ends == NULL)
		t->ends = calloc((size_t)t->partitions, sizeof(*t->ends));
	if (t->ends == NULL) {
		fault_set(fault, FAULT_MEMORY, NULL, "no memory for the ends of a topic");
		return BUS_AGAIN;
	}
	if (t->ends[partition] != UNSEEN)
		return BUS_DONE;
	answer = kafka_ends(p->desk, t->name, partition, &first, &all, fault);
	if (answer == BUS_DONE)
		answer = kafka_ends(p->committed, t->name, partition, &first, &committed, fault);
	if (answer != BUS_DONE)
		return answer;
	open = committed < all;
	if (open && which == HANGING_PARTS)
		answer = begins_with(p, t, partition, committed, message, &open, fault);
	if (answer == BUS_DONE)
		t->ends[partition] = open ? HANGS : ENDED;
	return answer;
}

static int32_t
partition_of(const struct known_topic *t, const struct message *message)
{
	return rd_kafka_msg_partitioner_murmur2_random(t->handle, message->key.data, message->key.size, t->partitions,
						       NULL, NULL);
}

/* May it be undone where it would come to lie? */
static enum bus_answer
check(struct kafka_publisher *p, enum bus_hanging which, const struct message *message, struct fault *fault)
{
	struct topic_wanted wanted = { .name = message->topic };
	enum bus_answer answer = BUS_DONE;

	if (kafka_find_topic(p, message->topic) == NULL)
		answer = publisher_topics(&p->door, &wanted, 1, fault);
	if (answer != BUS_DONE)
		return answer;
	struct known_topic *t = kafka_find_topic(p, message->topic);
	if (message->key.size == 0)
		return which == HANGING_MARK ? undecided(fault, t->name, "is a message without a key") : BUS_DONE;
	int32_t partition = partition_of(t, message);
	answer = look_at_end(p, t, partition, which, message, fault);
	if (answer == BUS_DONE && t->ends[partition] == ENDED && which == HANGING_MARK)
		return undecided(fault, t->name, "a part of it was ended");
	return answer;
}

static bool
hangs(struct kafka_publisher *p, const struct message *message)
{
	const struct known_topic *t = kafka_find_topic(p, message->topic);

	return message->key.size != 0 && t->ends[partition_of(t, message)] == HANGS;
}

static enum bus_answer
begin(struct kafka_publisher *p, struct fault *fault)
{
	enum bus_answer answer;

	if (p->undoing)
		return BUS_DONE;
	p->reports.failed = 0;
	answer = kafka_answer(p->producer, rd_kafka_begin_transaction(p->producer), "ending what hangs", fault);
	p->undoing = answer == BUS_DONE;
	return answer;
}

/* A full queue is waited for. */
static enum bus_answer
put_patiently(struct kafka_publisher *p, const struct message *message, struct fault *fault)
{
	rd_kafka_topic_t *handle = kafka_find_topic(p, message->topic)->handle;
	enum bus_answer answer;

	do
		answer = kafka_patience(&p->patience, kafka_put(p, handle, RD_KAFKA_PARTITION_UA, message, fault),
					fault);
	while (answer == BUS_AGAIN);
	return answer;
}

static enum bus_answer
send_what_hangs(struct kafka_publisher *p, const struct message *messages, size_t count, struct fault *fault)
{
	enum bus_answer answer = BUS_DONE;

	for (size_t i = 0; i < count && answer == BUS_DONE; i++) {
		if (!hangs(p, &messages[i]))
			continue;
		answer = begin(p, fault);
		if (answer == BUS_DONE)
			answer = put_patiently(p, &messages[i], fault);
	}
	return answer;
}

/* The mark, where that hangs too. */
static enum bus_answer
send_mark(struct kafka_publisher *p, struct fault *fault)
{
	const struct message mark = { .key = slice_text(p->key), .value = buf_slice(&p->value) };
	enum bus_answer answer = begin(p, fault);

	return answer == BUS_DONE ? kafka_put(p, p->control_topic, 0, &mark, fault) : answer;
}

/* Only what has arrived gets an end. */
static enum bus_answer
arrive_and_undo(struct kafka_publisher *p, struct fault *fault)
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;

	for (int i = 0; i < FLUSH_SLICES && code == RD_KAFKA_RESP_ERR__TIMED_OUT; i++)
		code = rd_kafka_flush(p->producer, KAFKA_SLICE_MS);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		kafka_fault(code, "ending what hangs", NULL, fault);
		return BUS_LOST;
	}
	if (p->reports.failed > 0) {
		*fault = p->reports.first;
		return BUS_LOST;
	}
	log_line(LOG_WARN, "a transaction hangs: its end was lost by the brokers; it is ended now",
		 log_text("control", p->control));
	return kafka_answer(p->producer, rd_kafka_abort_transaction(p->producer, KAFKA_END_MS), "ending what hangs",
			    fault);
}

void
kafka_end_looking(struct kafka_publisher *p)
{
	for (size_t i = 0; i < p->topic_count; i++) {
		free(p->topics[i].ends);
		p->topics[i].ends = NULL;
	}
	if (p->committed != NULL)
		rd_kafka_destroy(p->committed);
	p->committed = NULL;
}

enum bus_answer
kafka_end_hanging(struct publisher *publisher, enum bus_hanging which, const struct message *messages, size_t count,
		  bool last, struct fault *fault)
{
	struct kafka_publisher *p = kafka_inside(publisher);
	enum bus_answer answer = BUS_DONE;

	must(p->stage == READY && publisher->transactional);
	if (p->committed == NULL && (p->committed = kafka_desk(p->options, true, fault)) == NULL)
		return BUS_LOST;
	for (size_t i = 0; i < count && answer == BUS_DONE; i++)
		answer = check(p, which, &messages[i], fault);
	if (answer == BUS_UNDO || (answer != BUS_DONE && !p->undoing))
		return kafka_patience(&p->patience, answer, fault);
	if (answer == BUS_DONE)
		answer = send_what_hangs(p, messages, count, fault);
	if (answer == BUS_DONE && last && which != HANGING_PARTS)
		answer = send_mark(p, fault);
	if (answer == BUS_DONE && last && p->undoing)
		answer = arrive_and_undo(p, fault);
	/* What was begun and went wrong is decided by the next fence. */
	if (answer != BUS_DONE)
		return BUS_LOST;
	if (!last)
		return BUS_DONE;
	kafka_end_looking(p);
	p->undoing = false;
	if (which != HANGING_PARTS)
		p->stage = FENCED;
	return BUS_DONE;
}
