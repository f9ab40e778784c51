/* SPDX-License-Identifier: MIT */
/*
 * The doors of the bus: every call goes through here to the room behind it. The door holds the room's callers to the
 * order of the calls, because a message sent outside a transaction would be one that a crash repeats [I9].
 */
#include "bus/publisher.h"
#include "bus/source.h"

void
publisher_close(struct publisher *publisher)
{
	if (publisher != NULL)
		publisher->ops->close(publisher);
}

enum bus_answer
publisher_fence(struct publisher *publisher, struct fault *fault)
{
	return publisher->ops->fence(publisher, fault);
}

enum bus_answer
publisher_read_mark(struct publisher *publisher, struct arena *arena, struct bus_mark *mark, struct fault *fault)
{
	*mark = (struct bus_mark){ 0 };
	return publisher->ops->read_mark(publisher, arena, mark, fault);
}

enum bus_answer
publisher_topics(struct publisher *publisher, struct topic_wanted *topics, size_t count, struct fault *fault)
{
	return publisher->ops->topics(publisher, topics, count, fault);
}

enum bus_answer
publisher_begin(struct publisher *publisher, struct fault *fault)
{
	return publisher->ops->begin(publisher, fault);
}

enum bus_answer
publisher_send(struct publisher *publisher, const struct message *message, struct fault *fault)
{
	return publisher->ops->send(publisher, message, fault);
}

enum bus_answer
publisher_commit(struct publisher *publisher, const struct bus_mark *mark, struct fault *fault)
{
	return publisher->ops->commit(publisher, mark, fault);
}

enum bus_answer
publisher_settle(struct publisher *publisher, int64_t wait_ns, struct fault *fault)
{
	return publisher->ops->settle(publisher, wait_ns, fault);
}

enum bus_answer
publisher_undo(struct publisher *publisher, struct fault *fault)
{
	return publisher->ops->undo(publisher, fault);
}

enum bus_answer
publisher_end_hanging(struct publisher *publisher, enum bus_hanging which, const struct message *messages, size_t count,
		      bool last, struct fault *fault)
{
	if (publisher->ops->end_hanging == NULL)
		return BUS_DONE;
	return publisher->ops->end_hanging(publisher, which, messages, count, last, fault);
}

enum bus_answer
publisher_find(struct publisher *publisher, const struct slice *topics, size_t count, struct slice source,
	       log_position *position, struct fault *fault)
{
	*position = 0;
	if (publisher->ops->find != NULL)
		return publisher->ops->find(publisher, topics, count, source, position, fault);
	fault_set(fault, FAULT_CONFIG, "unsupported", "the %s bus cannot look for messages", publisher->kind);
	return BUS_UNDO;
}

void
source_close(struct source *source)
{
	if (source != NULL)
		source->ops->close(source);
}

int
source_next(struct source *source, struct arena *arena, struct source_event *event, struct fault *fault)
{
	*event = (struct source_event){ .what = SOURCE_NOTHING };
	return source->ops->next(source, arena, event, fault);
}

int
source_begin(struct source *source, const struct source_lane *lane, uint64_t offset, struct fault *fault)
{
	return source->ops->begin(source, lane, offset, fault);
}

int
source_pause(struct source *source, const struct source_lane *lane, bool paused, struct fault *fault)
{
	return source->ops->pause(source, lane, paused, fault);
}

void
source_told(struct source *source, const struct source_lane *lane, uint64_t next)
{
	source->ops->told(source, lane, next);
}

uint64_t
source_behind(struct source *source)
{
	return source->ops->behind(source);
}

bool
source_hears(struct source *source, struct fault *fault)
{
	return source->ops->hears == NULL || source->ops->hears(source, fault);
}
