/* SPDX-License-Identifier: MIT */
/*
 * A transaction that hangs is ended by one that is undone: it has the same producer id, so the end that it gets in a
 * partition is that of whatever lies open there. Which partitions those are is told by the keys, for the library puts
 * equal keys into equal partitions.
 *
 * Seen of Kafka 4 (KRaftMetadataCache.getPartitionLeaderEndpoint): while a partition has no leader, as when a lone
 * broker comes back from a kill, the coordinator takes it for deleted and completes without it. Whether to commit or to
 * abort was decided then, but nobody can ask. Where no part was ended either way, nobody has seen a message, and to
 * undo all is right; where one was, only a person can tell.
 */
#include <stdlib.h>

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

/* Is the end of the partition open? Told once for each. */
static enum bus_answer
look_at_end(struct kafka_publisher *p, struct known_topic *t, int32_t partition, struct fault *fault)
{
	int64_t first, all, committed;
	enum bus_answer answer;

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
	if (answer == BUS_DONE)
		t->ends[partition] = committed < all ? HANGS : ENDED;
	return answer;
}

/* May it be undone where it would come to lie? */
static enum bus_answer
check(struct kafka_publisher *p, const struct message *message, struct fault *fault)
{
	struct topic_wanted wanted = { .name = message->topic };
	enum bus_answer answer = BUS_DONE;

	if (kafka_find_topic(p, message->topic) == NULL)
		answer = publisher_topics(&p->door, &wanted, 1, fault);
	if (answer != BUS_DONE)
		return answer;
	struct known_topic *t = kafka_find_topic(p, message->topic);
	if (message->key.size == 0)
		return undecided(fault, t->name, "is a message without a key");
	int32_t partition = rd_kafka_msg_partitioner_murmur2_random(t->handle, message->key.data, message->key.size,
								    t->partitions, NULL, NULL);
	answer = look_at_end(p, t, partition, fault);
	if (answer == BUS_DONE && t->ends[partition] == ENDED)
		return undecided(fault, t->name, "a part of it was ended");
	return answer;
}

static enum bus_answer
send_all(struct kafka_publisher *p, const struct message *messages, size_t count, struct fault *fault)
{
	for (size_t i = 0; i < count; i++) {
		struct known_topic *t = kafka_find_topic(p, messages[i].topic);
		enum bus_answer answer;

		do
			answer = kafka_patience(&p->patience,
						kafka_put(p, t->handle, RD_KAFKA_PARTITION_UA, &messages[i], fault),
						fault);
		while (answer == BUS_AGAIN);
		if (answer != BUS_DONE)
			return answer;
	}
	return BUS_DONE;
}

/* Only what has arrived gets an end. */
static enum bus_answer
arrive_and_undo(struct kafka_publisher *p, struct fault *fault)
{
	const struct message mark = { .key = slice_text(p->key), .value = buf_slice(&p->value) };
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
	enum bus_answer answer = kafka_put(p, p->control_topic, 0, &mark, fault);

	if (answer != BUS_DONE)
		return answer;
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
kafka_end_hanging(struct publisher *publisher, const struct message *messages, size_t count, bool last,
		  struct fault *fault)
{
	struct kafka_publisher *p = kafka_inside(publisher);
	enum bus_answer answer = BUS_DONE;

	must(p->stage == FENCED && publisher->transactional);
	if (p->committed == NULL && (p->committed = kafka_desk(p->options, true, fault)) == NULL)
		return BUS_LOST;
	for (size_t i = 0; i < count && answer == BUS_DONE; i++)
		answer = check(p, &messages[i], fault);
	if (answer != BUS_DONE)
		return p->undoing && answer != BUS_UNDO ? BUS_LOST : answer;
	if (!p->undoing) {
		p->reports.failed = 0;
		answer = kafka_answer(p->producer, rd_kafka_begin_transaction(p->producer), "ending what hangs", fault);
		p->undoing = true;
	}
	if (answer == BUS_DONE)
		answer = send_all(p, messages, count, fault);
	if (answer == BUS_DONE && last)
		answer = arrive_and_undo(p, fault);
	if (answer != BUS_DONE)
		return BUS_LOST;
	if (last) {
		p->undoing = false;
		kafka_end_looking(p);
	}
	return BUS_DONE;
}
