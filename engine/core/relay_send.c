/* SPDX-License-Identifier: MIT */
/*
 * R5 to R7: one batch is one transaction of the bus, its mark the last record of it. While it is committed the next
 * batch is read and encoded. An empty batch carries the mark alone: the claim after R3, and now and then where much of
 * the log is not routed, so that a start has not all of it to read again.
 *
 * A transaction of Kafka's costs four times as much when it begins while the last one's markers are being written; a
 * short rest after each is gained back at once. One that has few messages rests less: somebody waits for them.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/probe.h"
#include "core/relay_inside.h"

#define REST_NS    ((int64_t)3 * 1000 * 1000)
#define BREATH_NS  ((int64_t)2 * 1000 * 1000)
#define FULL_NS    ((int64_t)1000 * 1000) /* until the publisher's queue has room */
#define SETTLE_NS  ((int64_t)50 * 1000 * 1000)
#define SHORTLY_NS ((int64_t)20 * 1000 * 1000)
#define LONG_NS    ((int64_t)2 * 1000 * 1000 * 1000) /* an end that takes longer is told */
#define TOPICS_MAX 256                               /* asked for at once */

/* A message that will never be taken. */
static bool
is_refusal(const struct fault *fault)
{
	return fault->class == FAULT_INPUT || fault->class == FAULT_LIMIT;
}

static int64_t
unsendable(struct relay *relay, log_position first, log_position last, const struct fault *fault)
{
	char where[64];

	if (first == last)
		snprintf(where, sizeof(where), "position %llu", (unsigned long long)first);
	else
		snprintf(where, sizeof(where), "one of positions %llu..%llu", (unsigned long long)first,
			 (unsigned long long)last);
	return relay_halt(relay, "unsendable",
			  "%s cannot be sent: %s. `moonlog relay resume` tries again, `relay rebuild --from POSITION` "
			  "goes on behind it without it",
			  where, fault->text);
}

/* The batch again from the last mark, after a pause. */
static int64_t
undo(struct relay *relay, const struct fault *fault)
{
	relay->phase = PHASE_UNDO;
	return relay_trouble(relay, fault);
}

static int64_t
answer_to(struct relay *relay, enum bus_answer answer, const struct fault *fault)
{
	if (answer == BUS_LOST)
		return relay_lose(relay, fault);
	if (answer == BUS_UNDO && is_refusal(fault))
		return unsendable(relay, relay->now->after.position + 1, relay->now->end.position, fault);
	return answer == BUS_UNDO ? undo(relay, fault) : relay_trouble(relay, fault);
}

int64_t
relay_claim(struct relay *relay)
{
	relay_batch_drop(relay->now);
	relay_batch_drop(relay->next);
	relay->now->after = relay->now->end = relay->at;
	relay->now->ready = true;
	return relay_go(relay, PHASE_BEGIN);
}

/* ---- topics ---- */

static bool
is_known(const struct relay *relay, struct slice name)
{
	for (const struct relay_topic *topic = relay->topics; topic != NULL; topic = topic->next)
		if (slice_equal(topic->name, name))
			return true;
	return false;
}

static bool
is_wanted(const struct topic_wanted *wanted, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(wanted[i].name, name))
			return true;
	return false;
}

static int
learn(struct relay *relay, const struct topic_wanted *wanted, struct fault *fault)
{
	struct relay_topic *topic = arena_alloc(&relay->names, sizeof(*topic));
	struct slice name = arena_copy(&relay->names, wanted->name);

	if (topic == NULL || name.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a topic's name");
	*topic = (struct relay_topic){ name, relay->topics };
	relay->topics = topic;
	log_line(LOG_INFO, "messages go to a topic", log_slice("topic", name),
		 log_int("partitions", wanted->partitions));
	return 0;
}

int64_t
relay_topics(struct relay *relay)
{
	struct topic_wanted wanted[TOPICS_MAX];
	enum bus_answer answer;
	struct fault fault;
	size_t count = 0;

	for (size_t i = 0; i < relay->now->count && count < TOPICS_MAX; i++) {
		struct slice name = relay->now->messages[i].topic;
		if (i != 0 && slice_equal(name, relay->now->messages[i - 1].topic))
			continue;
		if (!is_known(relay, name) && !is_wanted(wanted, count, name))
			wanted[count++] = (struct topic_wanted){ .name = name };
	}
	if (count == 0)
		return relay_go(relay, PHASE_BEGIN);
	answer = publisher_topics(relay->publisher, wanted, count, &fault);
	if ((answer == BUS_UNDO || answer == BUS_LOST) && is_refusal(&fault))
		return unsendable(relay, relay->now->after.position + 1, relay->now->end.position, &fault);
	if (answer != BUS_DONE)
		return answer == BUS_LOST ? relay_lose(relay, &fault) : relay_trouble(relay, &fault);
	for (size_t i = 0; i < count; i++)
		if (learn(relay, &wanted[i], &fault) != 0)
			return relay_trouble(relay, &fault);
	return 0;
}

/* ---- a transaction ---- */

int64_t
relay_begin(struct relay *relay)
{
	int64_t rested_ns = clock_mono_ns(relay->options.clock) - relay->settled_ns;
	int64_t rest_ns = relay->now->full ? REST_NS : BREATH_NS;
	enum bus_answer answer;
	struct fault fault;

	if (relay->publisher->transactional && relay->settled_ns != 0 && rested_ns < rest_ns)
		return rest_ns - rested_ns;
	(void)PROBE("relay.before_begin");
	answer = relay_end_parts(relay, &fault);
	if (answer == BUS_DONE)
		answer = publisher_begin(relay->publisher, &fault);
	if (answer != BUS_DONE)
		return answer_to(relay, answer, &fault);
	(void)PROBE("relay.after_begin");
	relay->sent = 0;
	return relay_go(relay, PHASE_SEND);
}

int64_t
relay_send(struct relay *relay)
{
	struct relay_batch *batch = relay->now;
	struct fault fault;

	if (relay->sent == 0)
		(void)PROBE("relay.before_send");
	for (; relay->sent < batch->count; relay->sent++) {
		enum bus_answer answer = publisher_send(relay->publisher, &batch->messages[relay->sent], &fault);

		if (answer == BUS_AGAIN)
			return FULL_NS;
		if (answer == BUS_UNDO && is_refusal(&fault))
			return unsendable(relay, batch->positions[relay->sent], batch->positions[relay->sent], &fault);
		if (answer != BUS_DONE)
			return answer_to(relay, answer, &fault);
		if (relay->sent == batch->count / 2)
			(void)PROBE("relay.in_send");
	}
	(void)PROBE("relay.after_send");
	return relay_go(relay, PHASE_COMMIT);
}

static struct bus_mark
mark_of(const struct relay *relay)
{
	return (struct bus_mark){ .found = true,
				  .store = relay->store_id,
				  .incarnation = relay->incarnation,
				  .position = relay->now->end.position,
				  .link = relay->now->end.link,
				  .owner = relay->owner,
				  .epoch = relay->epoch,
				  .at_us = clock_wall_us(relay->options.clock) };
}

int64_t
relay_commit(struct relay *relay)
{
	struct bus_mark mark = mark_of(relay);
	enum bus_answer answer;
	struct fault fault;

	(void)PROBE("relay.before_commit");
	answer = publisher_commit(relay->publisher, &mark, &fault);
	if (answer != BUS_DONE)
		return answer_to(relay, answer, &fault);
	(void)PROBE("relay.after_commit");
	relay->ended_ns = clock_mono_ns(relay->options.clock);
	return relay_go(relay, PHASE_AHEAD);
}

/* ---- R6 ---- */

/* The batch is out, with its mark. */
static int64_t
move_on(struct relay *relay)
{
	struct relay_batch *done = relay->now;
	struct fault fault;

	relay->mark = relay->at = done->end;
	relay->troubles = relay->hung = 0;
	relay->quiet_ns = relay->settled_ns = clock_mono_ns(relay->options.clock);
	pthread_mutex_lock(&relay->lock);
	relay->status.sent += done->count;
	relay->status.transactions++;
	relay->status.position = done->end.position;
	pthread_mutex_unlock(&relay->lock);
	relay->now = relay->next;
	relay->next = done;
	relay_batch_drop(done);
	if (!relay->claimed) {
		relay->claimed = true;
		relay->fenced = false;
		log_line(LOG_INFO, "messages go out", log_text("bus", relay->publisher->kind),
			 log_slice("store", relay->store_id), log_int("position", (int64_t)relay->at.position),
			 log_int("epoch", (int64_t)relay->epoch));
	}
	if (!relay->bootstrapped && relay_write_bootstrapped(relay, &fault) != 0) {
		/* Nothing may be sent until a lost mark can be told from none: claims again. */
		relay->claimed = false;
		relay->phase = PHASE_CLAIM;
		return relay_trouble(relay, &fault);
	}
	if (relay->options.progressed != NULL)
		relay->options.progressed(relay->options.self, relay->at.position);
	return relay_go(relay, PHASE_READ);
}

int64_t
relay_settle(struct relay *relay)
{
	enum bus_answer answer;
	struct fault fault;
	bool kept;

	fault_clear(&fault);
	(void)PROBE("relay.before_settle");
	answer = publisher_settle(relay->publisher, SETTLE_NS, &fault);
	if (answer == BUS_AGAIN) {
		if (relay_keep_lease(relay, &kept, &fault) == 0 && !kept)
			return relay_lose(relay, NULL);
		if (clock_mono_ns(relay->options.clock) - relay->ended_ns > LONG_NS)
			relay_say(relay, RELAY_WAITING, &fault);
		return SHORTLY_NS;
	}
	if (answer != BUS_DONE)
		return answer_to(relay, answer, &fault);
	(void)PROBE("relay.after_settle");
	return relay->publisher->transactional ? move_on(relay) : relay_go(relay, PHASE_MARK);
}

int64_t
relay_keep_mark(struct relay *relay)
{
	struct bus_mark mark = mark_of(relay);
	struct fault fault;
	bool won;

	(void)PROBE("relay.before_mark");
	if (relay_write_mark(relay, &mark, &won, &fault) != 0)
		return relay_trouble(relay, &fault);
	(void)PROBE("relay.after_mark");
	return won ? move_on(relay) : relay_lose(relay, NULL);
}

/* ---- R7 ---- */

int64_t
relay_undo(struct relay *relay)
{
	enum bus_answer answer;
	struct fault fault;

	(void)PROBE("relay.before_undo");
	answer = publisher_undo(relay->publisher, &fault);
	if (answer == BUS_LOST)
		return relay_lose(relay, &fault);
	if (answer != BUS_DONE)
		return relay_trouble(relay, &fault);
	(void)PROBE("relay.after_undo");
	relay_batch_drop(relay->now);
	relay_batch_drop(relay->next);
	relay->at = relay->mark;
	return relay_go(relay, relay->claimed ? PHASE_READ : PHASE_CLAIM);
}
