/* SPDX-License-Identifier: MIT */
/* A publisher that has nothing to do and so cannot fail: listeners read the log. Sending is a caller's mistake. */
#include <stdlib.h>

#include "bus/local/local.h"

static void
local_close(struct publisher *publisher)
{
	free(publisher);
}

static enum bus_answer
local_fence(struct publisher *publisher, struct fault *fault)
{
	(void)publisher, (void)fault;
	return BUS_DONE;
}

static enum bus_answer
local_read_mark(struct publisher *publisher, struct arena *arena, struct bus_mark *mark, struct fault *fault)
{
	(void)publisher, (void)arena, (void)mark, (void)fault;
	return BUS_DONE;
}

static enum bus_answer
local_topics(struct publisher *publisher, struct topic_wanted *topics, size_t count, struct fault *fault)
{
	(void)publisher, (void)fault;
	for (size_t i = 0; i < count; i++)
		topics[i].partitions = 1;
	return BUS_DONE;
}

static enum bus_answer
nothing_is_sent(struct fault *fault)
{
	fault_set(fault, FAULT_BUG, "not_carried", "the local bus carries nothing: its listeners follow the log");
	return BUS_LOST;
}

static enum bus_answer
local_begin(struct publisher *publisher, struct fault *fault)
{
	(void)publisher;
	return nothing_is_sent(fault);
}

static enum bus_answer
local_send(struct publisher *publisher, const struct message *message, struct fault *fault)
{
	(void)publisher, (void)message;
	return nothing_is_sent(fault);
}

static enum bus_answer
local_commit(struct publisher *publisher, const struct bus_mark *mark, struct fault *fault)
{
	(void)publisher, (void)mark;
	return nothing_is_sent(fault);
}

static enum bus_answer
local_settle(struct publisher *publisher, int64_t wait_ns, struct fault *fault)
{
	(void)publisher, (void)wait_ns;
	return nothing_is_sent(fault);
}

static enum bus_answer
local_undo(struct publisher *publisher, struct fault *fault)
{
	(void)publisher;
	return nothing_is_sent(fault);
}

static int
local_open(void *self, struct publisher **publisher, struct fault *fault)
{
	static const struct publisher_ops ops = { .close = local_close,
						  .fence = local_fence,
						  .read_mark = local_read_mark,
						  .topics = local_topics,
						  .begin = local_begin,
						  .send = local_send,
						  .commit = local_commit,
						  .settle = local_settle,
						  .undo = local_undo };

	(void)self;
	*publisher = calloc(1, sizeof(**publisher));
	if (*publisher == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a publisher");
	**publisher = (struct publisher){ .ops = &ops, .kind = "local" };
	return 0;
}

struct publisher_maker
local_publisher(void)
{
	return (struct publisher_maker){ .open = local_open };
}
