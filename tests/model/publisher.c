/* SPDX-License-Identifier: MIT */
/*
 * A publisher of the cluster as librdkafka is one: it queues, sends when it likes, sends again what was not answered,
 * and gives the three classes of error. It holds its caller to the order of the calls.
 */
#include <stdio.h>
#include <stdlib.h>

#include "model/world.h"

#define QUEUE_MAX  512
#define CONTROL    "moonlog.relay-state"
#define MARK_BYTES 400

enum stage { OPEN, FENCED, READY, BEGUN, ENDING, CLOSED };

struct queued {
	struct cluster_partition *to;
	uint64_t sequence;
	struct message message;
};

struct sequence {
	struct cluster_partition *of;
	uint64_t next;
};

struct model_publisher {
	struct publisher door;
	struct process *process;
	struct arena arena; /* of one transaction */
	char id[128], key[64];
	enum stage stage;
	uint64_t producer;
	uint16_t epoch;
	struct queued queue[QUEUE_MAX];
	size_t queued, sent;
	bool unsure;  /* the answer to queue[sent] was lost */
	bool any;     /* the coordinator may know of a transaction */
	bool spoiled; /* what was begun can only be undone */
	bool loose;   /* sabotage: the messages are out, the mark is not */
	bool swapped; /* sabotage: the mark was read, the fence is to come */
	size_t high;  /* of the control partition; SIZE_MAX: not asked */
	struct sequence sequences[CLUSTER_TOPICS_MAX * CLUSTER_PARTITIONS];
	size_t sequence_count;
	struct bus_mark read; /* swapped */
};

static struct model_publisher *
inside(struct publisher *publisher)
{
	return container_of(publisher, struct model_publisher, door);
}

static enum bus_answer
again(struct fault *fault)
{
	fault_set(fault, FAULT_AWAY, "model_away", "the broker does not answer");
	return BUS_AGAIN;
}

static enum bus_answer
lost(struct model_publisher *p, const char *code, struct fault *fault)
{
	p->stage = CLOSED;
	fault_set(fault, FAULT_AWAY, code, "the publisher is of no use any more");
	return BUS_LOST;
}

static enum bus_answer
answer_of(struct model_publisher *p, enum cluster_error error, struct fault *fault)
{
	if (error == CLUSTER_OK)
		return BUS_DONE;
	if (error == CLUSTER_CONCURRENT)
		return again(fault);
	return lost(p, error == CLUSTER_FENCED ? "fenced" : "model_state", fault);
}

/* ---- fence and mark ---- */

static enum bus_answer
do_fence(struct model_publisher *p, struct fault *fault)
{
	struct world *world = p->process->world;
	enum cluster_error error;

	if (!process_reaches(p->process))
		return again(fault);
	error = cluster_init(&world->cluster, slice_text(p->id), world->now_us, &p->producer, &p->epoch);
	if (!process_hears(p->process))
		return again(fault);
	return answer_of(p, error, fault);
}

static enum bus_answer
fence(struct publisher *publisher, struct fault *fault)
{
	struct model_publisher *p = inside(publisher);
	enum bus_answer answer = BUS_DONE;

	must(p->stage == OPEN || p->process->dead);
	if (publisher->transactional && !p->process->world->sabotage.swap)
		answer = do_fence(p, fault);
	if (answer == BUS_DONE)
		p->stage = FENCED;
	return answer;
}

static struct cluster_partition *
control(struct model_publisher *p)
{
	return cluster_place(cluster_topic(&p->process->world->cluster, SLICE(CONTROL), 1), SLICE_NONE);
}

static void
parse_mark(const struct message *message, struct arena *arena, struct bus_mark *mark)
{
	char text[MARK_BYTES + 1] = "", store[64], owner[128], link[2 * CHECK_SIZE + 1];
	unsigned long long position, epoch;
	unsigned incarnation;

	must(message->value.size <= MARK_BYTES);
	memcpy(text, message->value.data, message->value.size);
	must(sscanf(text, "%63s %u %llu %32s %llu %127s", store, &incarnation, &position, link, &epoch, owner) == 6);
	*mark = (struct bus_mark){ .found = true,
				   .store = arena_copy(arena, slice_text(store)),
				   .incarnation = incarnation,
				   .position = position,
				   .owner = arena_copy(arena, slice_text(owner)),
				   .epoch = epoch };
	for (size_t i = 0; i < CHECK_SIZE; i++) {
		unsigned byte;
		must(sscanf(link + 2 * i, "%2x", &byte) == 1);
		mark->link.bytes[i] = (uint8_t)byte;
	}
}

static enum bus_answer
do_read_mark(struct model_publisher *p, struct arena *arena, struct bus_mark *mark, struct fault *fault)
{
	struct cluster_partition *at = control(p);

	if (!process_reaches(p->process))
		return again(fault);
	if (p->high == SIZE_MAX)
		p->high = at->count;
	if (cluster_stable(at) < p->high || !process_hears(p->process))
		return again(fault);
	for (size_t i = 0; i < p->high; i++)
		if (!at->records[i].control && at->records[i].state == RECORD_COMMITTED &&
		    slice_equal(at->records[i].message.key, slice_text(p->key)))
			parse_mark(&at->records[i].message, arena, mark);
	return BUS_DONE;
}

static enum bus_answer
read_mark(struct publisher *publisher, struct arena *arena, struct bus_mark *mark, struct fault *fault)
{
	struct model_publisher *p = inside(publisher);
	enum bus_answer answer = BUS_DONE;

	must(p->stage == FENCED || p->process->dead);
	if (!publisher->transactional)
		goto out;
	if (!p->swapped) {
		answer = do_read_mark(p, &p->arena, &p->read, fault);
		p->swapped = answer == BUS_DONE && p->process->world->sabotage.swap;
	}
	if (p->swapped)
		answer = do_fence(p, fault);
	if (answer != BUS_DONE)
		return answer;
	*mark = p->read;
	if (mark->found) {
		mark->store = arena_copy(arena, mark->store);
		mark->owner = arena_copy(arena, mark->owner);
	}
out:
	p->stage = READY;
	return answer;
}

static enum bus_answer
topics(struct publisher *publisher, struct topic_wanted *wanted, size_t count, struct fault *fault)
{
	struct model_publisher *p = inside(publisher);

	must(p->stage == READY || p->process->dead);
	if (!process_reaches(p->process))
		return again(fault);
	for (size_t i = 0; i < count; i++)
		wanted[i].partitions =
			(int32_t)cluster_topic(&p->process->world->cluster, wanted[i].name, CLUSTER_PARTITIONS)
				->partitions;
	return process_hears(p->process) ? BUS_DONE : again(fault);
}

/* ---- a transaction ---- */

static uint64_t *
next_of(struct model_publisher *p, struct cluster_partition *of)
{
	for (size_t i = 0; i < p->sequence_count; i++)
		if (p->sequences[i].of == of)
			return &p->sequences[i].next;
	p->sequences[p->sequence_count].of = of;
	return &p->sequences[p->sequence_count++].next;
}

static enum bus_answer
begin(struct publisher *publisher, struct fault *fault)
{
	struct model_publisher *p = inside(publisher);

	(void)fault;
	must(p->stage == READY || p->process->dead);
	arena_clear(&p->arena);
	p->queued = p->sent = 0;
	p->any = p->spoiled = p->unsure = p->loose = false;
	p->stage = BEGUN;
	return BUS_DONE;
}

/* Sends the oldest that is not out. */
static enum bus_answer
flush_one(struct model_publisher *p, struct fault *fault)
{
	struct world *world = p->process->world;
	struct queued *queued = &p->queue[p->sent];
	enum cluster_error error;
	enum bus_answer answer;

	if (p->door.transactional) {
		if (!process_reaches(p->process))
			return again(fault);
		p->any = true;
		error = cluster_add(&world->cluster, slice_text(p->id), p->epoch, queued->to, world->now_us);
		if (!process_hears(p->process))
			return again(fault);
		if ((answer = answer_of(p, error, fault)) != BUS_DONE)
			return answer;
	}
	if (!process_reaches(p->process))
		return again(fault);
	error = cluster_produce(&world->cluster, queued->to, p->producer, p->epoch, queued->sequence,
				p->door.transactional, &queued->message);
	p->unsure = true;
	if (!process_hears(p->process))
		return again(fault);
	if ((answer = answer_of(p, error, fault)) == BUS_DONE) {
		p->unsure = false;
		p->sent++;
	}
	return answer;
}

static enum bus_answer
flush(struct model_publisher *p, struct fault *fault)
{
	while (p->sent < p->queued) {
		enum bus_answer answer = flush_one(p, fault);
		if (answer != BUS_DONE)
			return answer;
	}
	return BUS_DONE;
}

static enum bus_answer
spoil(struct model_publisher *p, struct fault *fault)
{
	p->spoiled = true;
	fault_set(fault, FAULT_AWAY, "model_undo", "a message was given up");
	return BUS_UNDO;
}

static void
enqueue(struct model_publisher *p, struct cluster_partition *to, const struct message *message)
{
	struct queued *queued = &p->queue[p->queued++];
	struct message_header *headers = arena_alloc(&p->arena, (message->header_count + 1) * sizeof(*headers));

	must(p->queued < QUEUE_MAX && headers != NULL);
	*queued = (struct queued){ to, (*next_of(p, to))++, *message };
	queued->message.topic = arena_copy(&p->arena, message->topic);
	queued->message.key = arena_copy(&p->arena, message->key);
	queued->message.value = arena_copy(&p->arena, message->value);
	for (size_t i = 0; i < message->header_count; i++)
		headers[i] = (struct message_header){ arena_copy(&p->arena, message->headers[i].name),
						      arena_copy(&p->arena, message->headers[i].value) };
	queued->message.headers = headers;
}

static enum bus_answer
send_message(struct publisher *publisher, const struct message *message, struct fault *fault)
{
	struct model_publisher *p = inside(publisher);
	struct world *world = p->process->world;
	enum bus_answer answer;

	must(p->stage == BEGUN || p->process->dead);
	if (p->process->dead)
		return lost(p, "dead", fault);
	if (world_odds(world, 20)) {
		fault_set(fault, FAULT_BUSY, "model_full", "the queue is full");
		return BUS_AGAIN;
	}
	if (world_odds(world, world->refusals))
		return spoil(p, fault);
	enqueue(p, cluster_place(cluster_topic(&world->cluster, message->topic, CLUSTER_PARTITIONS), message->key),
		message);
	while (p->sent < p->queued && world_odds(world, 400)) {
		answer = flush_one(p, fault);
		if (answer == BUS_LOST)
			return answer;
		if (answer != BUS_DONE)
			break;
	}
	return BUS_DONE;
}

static void
enqueue_mark(struct model_publisher *p, const struct bus_mark *mark)
{
	char text[MARK_BYTES], link[2 * CHECK_SIZE + 1];

	for (size_t i = 0; i < CHECK_SIZE; i++)
		snprintf(link + 2 * i, 3, "%02x", mark->link.bytes[i]);
	snprintf(text, sizeof(text), "%.*s %u %llu %s %llu %.*s", SLICE_ARG(mark->store), mark->incarnation,
		 (unsigned long long)mark->position, link, (unsigned long long)mark->epoch, SLICE_ARG(mark->owner));
	struct message message = { .topic = SLICE(CONTROL), .key = slice_text(p->key), .value = slice_text(text) };
	enqueue(p, control(p), &message);
}

static enum bus_answer
commit(struct publisher *publisher, const struct bus_mark *mark, struct fault *fault)
{
	struct model_publisher *p = inside(publisher);

	must(p->stage == BEGUN || p->process->dead);
	if (p->process->dead)
		return lost(p, "dead", fault);
	p->read = *mark;
	p->read.owner = arena_copy(&p->arena, mark->owner);
	p->read.store = arena_copy(&p->arena, mark->store);
	if (publisher->transactional && (!p->process->world->sabotage.loose_mark || p->queued == 0))
		enqueue_mark(p, mark);
	else
		p->loose = publisher->transactional;
	p->stage = ENDING;
	return BUS_DONE;
}

static enum bus_answer
end(struct model_publisher *p, bool committed, struct fault *fault)
{
	struct world *world = p->process->world;
	enum cluster_error error;

	if (!process_reaches(p->process))
		return again(fault);
	error = cluster_end(&world->cluster, slice_text(p->id), p->epoch, committed);
	if (!process_hears(p->process))
		return again(fault);
	return answer_of(p, error, fault);
}

static enum bus_answer
settle(struct publisher *publisher, int64_t wait_ns, struct fault *fault)
{
	struct model_publisher *p = inside(publisher);
	struct world *world = p->process->world;
	enum bus_answer answer;

	(void)wait_ns;
	must(p->stage == ENDING || p->process->dead);
	if (p->process->dead)
		return lost(p, "dead", fault);
	if (p->sent < p->queued && world_odds(world, world->refusals))
		return spoil(p, fault);
	answer = flush(p, fault);
	if (answer == BUS_DONE && publisher->transactional)
		answer = end(p, true, fault);
	if (answer == BUS_DONE && p->loose) {
		p->loose = false;
		enqueue_mark(p, &p->read);
		return again(fault);
	}
	if (answer == BUS_DONE)
		p->stage = READY;
	return answer;
}

static enum bus_answer
undo(struct publisher *publisher, struct fault *fault)
{
	struct model_publisher *p = inside(publisher);
	enum bus_answer answer = BUS_DONE;

	must(p->stage == READY || p->stage == BEGUN || (p->stage == ENDING && p->spoiled) || p->process->dead);
	if (p->process->dead)
		return lost(p, "dead", fault);
	if (publisher->transactional && p->any)
		answer = end(p, false, fault);
	if (answer != BUS_DONE)
		return answer;
	/* What is out counts; whether the one without an answer does cannot be known. */
	if (p->unsure && publisher->transactional)
		return lost(p, "model_unsure", fault);
	for (size_t i = p->queued; i > p->sent; i--)
		--*next_of(p, p->queue[i - 1].to);
	p->stage = READY;
	return BUS_DONE;
}

/* ---- looking for the mark ---- */

static enum bus_answer
find(struct publisher *publisher, const struct slice *names, size_t count, struct slice source, log_position *position,
     struct fault *fault)
{
	struct model_publisher *p = inside(publisher);

	if (!process_reaches(p->process))
		return again(fault);
	for (size_t t = 0; t < count; t++) {
		struct cluster_topic *topic = cluster_topic(&p->process->world->cluster, names[t], CLUSTER_PARTITIONS);
		for (size_t i = 0; i < topic->partitions; i++) {
			struct cluster_partition *at = &topic->partition[i];
			for (size_t o = 0; o < cluster_stable(at); o++) {
				const struct message *message = &at->records[o].message;
				unsigned long long found = 0;
				bool ours = false;
				for (size_t h = 0; h < message->header_count; h++) {
					if (slice_equal(message->headers[h].name, SLICE("ce_source")))
						ours = slice_equal(message->headers[h].value, source);
					if (slice_equal(message->headers[h].name, SLICE("ce_sequence")))
						found = strtoull(message->headers[h].value.data, NULL, 10);
				}
				if (ours && at->records[o].state == RECORD_COMMITTED && found > *position)
					*position = found;
			}
		}
	}
	return process_hears(p->process) ? BUS_DONE : again(fault);
}

/* ---- opening ---- */

static void
model_close(struct publisher *publisher)
{
	struct model_publisher *p = inside(publisher);
	struct fault fault;

	if (publisher->transactional && p->stage == BEGUN && p->any && !p->process->dead)
		end(p, false, &fault);
	arena_fini(&p->arena);
	free(p);
}

static int
model_open(void *self, struct publisher **publisher, struct fault *fault)
{
	static const struct publisher_ops ops = { .close = model_close,
						  .fence = fence,
						  .read_mark = read_mark,
						  .topics = topics,
						  .begin = begin,
						  .send = send_message,
						  .commit = commit,
						  .settle = settle,
						  .undo = undo,
						  .find = find };
	struct process *process = self;
	struct model_publisher *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a publisher");
	p->door = (struct publisher){
		.ops = &ops, .kind = "model", .transactional = process->transactional, .carries = true
	};
	p->process = process;
	p->high = SIZE_MAX;
	arena_init(&p->arena, (size_t)64 << 20);
	snprintf(p->id, sizeof(p->id), "moonlog.relay.%.*s.0", SLICE_ARG(process->store_id));
	snprintf(p->key, sizeof(p->key), "%.*s/0", SLICE_ARG(process->store_id));
	*publisher = &p->door;
	return 0;
}

struct publisher_maker
model_publisher(struct process *process)
{
	return (struct publisher_maker){ model_open, process };
}
