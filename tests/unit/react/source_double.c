/* SPDX-License-Identifier: MIT */
#include "source_double.h"

#include <stdio.h>
#include <stdlib.h>

struct source_double {
	struct source base;
	struct source_broker *broker;
	struct double_lane {
		bool assigned, begun, paused, revoking;
		uint64_t next, told;
	} lanes[DOUBLE_LANES];
	unsigned turn;
};

static struct source_double *
self_of(struct source *source)
{
	return container_of(source, struct source_double, base);
}

static void
double_close(struct source *source)
{
	self_of(source)->broker->source = NULL;
	free(self_of(source));
}

static struct slice
bytes_of(const char *text, size_t size, char fill, struct arena *arena)
{
	char *bytes;

	if (size == 0)
		return arena_copy(arena, slice_text(text));
	bytes = arena_alloc(arena, size);
	memset(bytes, fill, size);
	return slice_from(bytes, size);
}

static int
give(struct source_double *self, unsigned number, struct arena *arena, struct source_event *event)
{
	struct double_lane *lane = &self->lanes[number];
	const struct broker_message *from = &self->broker->lanes[number].messages[lane->next];
	struct message_header *headers = arena_zero(arena, 7 + from->more_headers, sizeof(*headers));
	size_t count = from->version != 0 ? 6 : 2;
	bool versioned = from->version != 0;

	headers[0] = (struct message_header){ versioned ? SLICE("ce_type") : SLICE("type"),
					      arena_copy(arena, slice_text(from->type)) };
	headers[1] = (struct message_header){ versioned ? SLICE("ce_id") : SLICE("id"),
					      bytes_of(from->id, from->id_size, 'i', arena) };
	headers[2] = (struct message_header){ SLICE("ce_specversion"), SLICE("1.0") };
	headers[3] = (struct message_header){ SLICE("ce_source"), SLICE("/elsewhere") };
	headers[4] = (struct message_header){ SLICE("ce_subject"), arena_copy(arena, slice_text(from->key)) };
	headers[5] = (struct message_header){ SLICE("ce_streamversion"), arena_format(arena, "%u", from->version) };
	for (size_t i = 0; i < from->more_headers; i++)
		headers[count++] = (struct message_header){ arena_format(arena, "x-%zu", i), SLICE("1") };
	if (from->trace != NULL)
		headers[count++] = (struct message_header){ SLICE("traceparent"), slice_text(from->trace) };
	event->what = SOURCE_MESSAGE;
	event->offset = lane->next++;
	event->message = (struct message){ .topic = SLICE("in"),
					   .key = bytes_of(from->key, from->key_size, '\xfe', arena),
					   .value = bytes_of(from->data, from->value_size, '\x01', arena),
					   .headers = headers,
					   .header_count = count,
					   .time_us = 1 };
	return 0;
}

static int
double_next(struct source *source, struct arena *arena, struct source_event *event, struct fault *fault)
{
	struct source_double *self = self_of(source);

	if (self->broker->away)
		return fault_set(fault, FAULT_AWAY, "broker_away", "the broker cannot be reached");
	for (unsigned i = 0, turn = self->turn; i < self->broker->lane_count; i++) {
		unsigned number = (turn + i) % (unsigned)self->broker->lane_count;
		struct double_lane *lane = &self->lanes[number];
		const struct broker_lane *there = &self->broker->lanes[number];

		event->lane = (struct source_lane){ SLICE("in"), (int32_t)number };
		self->turn = number + 1;
		if (lane->revoking) {
			*lane = (struct double_lane){ .told = lane->told };
			event->what = SOURCE_REVOKED;
			return 0;
		}
		if (!lane->assigned) {
			lane->assigned = true;
			event->what = SOURCE_ASSIGNED;
			return 0;
		}
		if (!lane->begun || lane->paused)
			continue;
		if (lane->next < there->first || lane->next > there->count) {
			lane->begun = false;
			event->what = SOURCE_GONE;
			event->offset = there->first;
			fault_set(fault, FAULT_CONFIG, "offset_gone", "offset %llu of in/%u is not there any more",
				  (unsigned long long)lane->next, number);
			return 0;
		}
		if (lane->next < there->count)
			return give(self, number, arena, event);
	}
	return 0;
}

static int
double_begin(struct source *source, const struct source_lane *lane, uint64_t offset, struct fault *fault)
{
	struct source_double *self = self_of(source);
	struct double_lane *ours = &self->lanes[lane->partition];

	(void)fault;
	ours->next = offset == SOURCE_START ? self->broker->lanes[lane->partition].first : offset;
	ours->begun = true;
	return 0;
}

static int
double_pause(struct source *source, const struct source_lane *lane, bool paused, struct fault *fault)
{
	(void)fault;
	self_of(source)->lanes[lane->partition].paused = paused;
	return 0;
}

static void
double_told(struct source *source, const struct source_lane *lane, uint64_t next)
{
	self_of(source)->lanes[lane->partition].told = next;
}

static uint64_t
double_behind(struct source *source)
{
	(void)source;
	return UINT64_MAX;
}

static bool
double_hears(struct source *source, struct fault *fault)
{
	if (self_of(source)->broker->silent)
		fault_set(fault, FAULT_AWAY, "broker_silent", "the broker does not answer");
	return !self_of(source)->broker->silent;
}

static int
double_open(void *broker, const struct source_wanted *wanted, struct source **source, struct fault *fault)
{
	static const struct source_ops ops = { double_close, double_next,   double_begin, double_pause,
					       double_told,  double_behind, double_hears };
	struct source_double *self = calloc(1, sizeof(*self));

	(void)wanted;
	(void)fault;
	self->base = (struct source){ &ops, "double" };
	self->broker = broker;
	self->broker->source = self;
	*source = &self->base;
	return 0;
}

struct source_maker
source_double(struct source_broker *broker)
{
	return (struct source_maker){ double_open, broker };
}

void
broker_add(struct source_broker *broker, unsigned lane, const char *type, const char *id, const char *key, long long by)
{
	struct broker_lane *there = &broker->lanes[lane];
	struct broker_message *message = &there->messages[there->count++];

	snprintf(message->type, sizeof(message->type), "%s", type);
	snprintf(message->id, sizeof(message->id), "%s", id);
	snprintf(message->key, sizeof(message->key), "%s", key);
	snprintf(message->data, sizeof(message->data), "{\"by\":%lld,\"id\":\"%s\"}", by, key);
}

void
broker_add_version(struct source_broker *broker, unsigned lane, const char *type, const char *id, const char *key,
		   long long by, unsigned version)
{
	struct broker_lane *there = &broker->lanes[lane];

	broker_add(broker, lane, type, id, key, by);
	there->messages[there->count - 1].version = version;
}

void
broker_rebalance(struct source_broker *broker, unsigned lane)
{
	broker->source->lanes[lane].revoking = true;
}

uint64_t
broker_told(const struct source_broker *broker, unsigned lane)
{
	return broker->source->lanes[lane].told;
}
