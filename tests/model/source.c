/* SPDX-License-Identifier: MIT */
/*
 * A source of the cluster as librdkafka is one with isolation.level=read_committed and an eager assignor: it hears late
 * of what the group has decided and until then reads on in lanes that are others' by now; then all its lanes are taken
 * and given anew. It gives nothing of transactions that are open or were aborted. What the group has as offsets it
 * writes and does not read.
 */
#include <stdio.h>
#include <stdlib.h>

#include "model/world.h"

struct model_lane {
	struct cluster_topic *topic;
	size_t number; /* in the cluster */
	int32_t partition;
	bool ours;    /* since the last time we heard */
	bool known;   /* the caller was told so */
	bool leaving; /* it is to hear that it is ours no more */
	bool begun, paused;
	uint64_t next, passed;
};

struct model_source {
	struct source door;
	struct process *process;
	struct model_lane lanes[CLUSTER_LANES_MAX];
	size_t lane_count, turn;
	uint64_t member, generation;
};

static struct model_source *
inside(struct source *source)
{
	return container_of(source, struct model_source, door);
}

static struct cluster_partition *
partition_of(struct model_lane *lane)
{
	return &lane->topic->partition[lane->partition];
}

static struct source_lane
name_of(const struct model_lane *lane)
{
	return (struct source_lane){ lane->topic->name, lane->partition };
}

/* What the group says now; sooner or later. */
static void
hear_of_group(struct model_source *s)
{
	struct world *world = s->process->world;
	struct cluster *cluster = &world->cluster;

	if (world_chance(world, 4) != 0 || !process_reaches(s->process))
		return;
	if (!cluster_beat(cluster, s->member, world->now_us))
		s->member = cluster_join(cluster, world->now_us);
	if (s->generation == cluster->group.generation || !process_hears(s->process))
		return;
	s->generation = cluster->group.generation;
	for (size_t i = 0; i < s->lane_count; i++) {
		struct model_lane *lane = &s->lanes[i];

		lane->ours = cluster_owns(cluster, s->member, lane->number);
		lane->leaving = lane->known;
		lane->begun = lane->paused = false;
	}
}

static bool
tell_news(struct model_source *s, struct source_event *event)
{
	for (size_t i = 0; i < s->lane_count; i++) {
		struct model_lane *lane = &s->lanes[i];

		event->lane = name_of(lane);
		if (lane->leaving) {
			lane->leaving = lane->known = false;
			event->what = SOURCE_REVOKED;
			return true;
		}
		if (lane->ours && !lane->known) {
			lane->known = true;
			event->what = SOURCE_ASSIGNED;
			return true;
		}
	}
	return false;
}

static void
give(struct model_lane *lane, const struct cluster_record *record, struct arena *arena, struct source_event *event)
{
	const struct message *from = &record->message;
	struct message_header *headers = arena_zero(arena, from->header_count + 1, sizeof(*headers));

	for (size_t i = 0; i < from->header_count; i++)
		headers[i] = (struct message_header){ arena_copy(arena, from->headers[i].name),
						      arena_copy(arena, from->headers[i].value) };
	event->what = SOURCE_MESSAGE;
	event->offset = lane->next++;
	event->message = (struct message){ .topic = lane->topic->name,
					   .key = arena_copy(arena, from->key),
					   .value = arena_copy(arena, from->value),
					   .headers = headers,
					   .header_count = from->header_count,
					   .time_us = 1 };
}

/* true: the lane has something to tell. */
static bool
read_lane(struct model_lane *lane, struct arena *arena, struct source_event *event, struct fault *fault)
{
	struct cluster_partition *at = partition_of(lane);
	size_t stable = cluster_stable(at);

	event->lane = name_of(lane);
	if (lane->next > at->count) {
		lane->begun = false;
		event->what = SOURCE_GONE;
		fault_set(fault, FAULT_CONFIG, "offset_gone", "offset %llu is not there",
			  (unsigned long long)lane->next);
		return true;
	}
	for (; lane->next < stable; lane->next++) {
		const struct cluster_record *record = &at->records[lane->next];

		if (record->control || record->state != RECORD_COMMITTED)
			continue;
		give(lane, record, arena, event);
		return true;
	}
	if (lane->passed >= lane->next)
		return false;
	event->what = SOURCE_PASSED;
	event->offset = lane->passed = lane->next;
	return true;
}

static int
next(struct source *source, struct arena *arena, struct source_event *event, struct fault *fault)
{
	struct model_source *s = inside(source);
	struct world *world = s->process->world;

	if (s->process->dead)
		return 0;
	hear_of_group(s);
	if (s->process->dead || tell_news(s, event) || world_odds(world, 100))
		return 0;
	if (!process_reaches(s->process) || !process_hears(s->process))
		return world_odds(world, 300) ? fault_set(fault, FAULT_AWAY, "model_away", "no broker answers") : 0;
	for (size_t i = 0; i < s->lane_count; i++) {
		struct model_lane *lane = &s->lanes[(s->turn + i) % s->lane_count];

		if (!lane->known || !lane->begun || lane->paused || !read_lane(lane, arena, event, fault))
			continue;
		s->turn += i + world_chance(world, 2);
		return 0;
	}
	return 0;
}

static struct model_lane *
find(struct model_source *s, const struct source_lane *name)
{
	for (size_t i = 0; i < s->lane_count; i++)
		if (s->lanes[i].partition == name->partition && slice_equal(s->lanes[i].topic->name, name->topic))
			return &s->lanes[i];
	return NULL;
}

static int
find_ours(struct model_source *s, const struct source_lane *name, struct model_lane **lane, struct fault *fault)
{
	*lane = find(s, name);
	must(*lane != NULL);
	if ((*lane)->ours)
		return 0;
	return fault_set(fault, FAULT_BUSY, "not_ours", "%.*s/%d is not ours any more", SLICE_ARG(name->topic),
			 (int)name->partition);
}

static int
begin(struct source *source, const struct source_lane *name, uint64_t offset, struct fault *fault)
{
	struct model_source *s = inside(source);
	struct model_lane *lane;

	if (find_ours(s, name, &lane, fault) != 0)
		return -1;
	lane->begun = true;
	lane->next = offset == SOURCE_START ? 0 : offset;
	if (s->process->world->sabotage.group_place)
		lane->next = s->process->world->cluster.group.offsets[lane->number];
	lane->passed = lane->next;
	return 0;
}

static int
pause_lane(struct source *source, const struct source_lane *name, bool paused, struct fault *fault)
{
	struct model_lane *lane;

	if (find_ours(inside(source), name, &lane, fault) != 0)
		return -1;
	lane->paused = paused;
	return 0;
}

static void
told(struct source *source, const struct source_lane *name, uint64_t after)
{
	struct model_source *s = inside(source);
	struct model_lane *lane = find(s, name);

	if (lane != NULL && lane->ours && process_reaches(s->process))
		s->process->world->cluster.group.offsets[lane->number] = after;
}

static uint64_t
behind(struct source *source)
{
	struct model_source *s = inside(source);
	uint64_t sum = 0;

	for (size_t i = 0; i < s->lane_count; i++)
		if (s->lanes[i].begun && s->lanes[i].next < partition_of(&s->lanes[i])->count)
			sum += partition_of(&s->lanes[i])->count - s->lanes[i].next;
	return sum;
}

static void
model_close(struct source *source)
{
	struct model_source *s = inside(source);

	if (!s->process->dead && process_reaches(s->process))
		cluster_leave(&s->process->world->cluster, s->member);
	free(s);
}

static int
model_open(void *self, const struct source_wanted *wanted, struct source **source, struct fault *fault)
{
	static const struct source_ops ops = {
		.close = model_close, .next = next, .begin = begin, .pause = pause_lane, .told = told, .behind = behind
	};
	struct process *process = self;
	struct cluster *cluster = &process->world->cluster;
	struct model_source *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a source");
	s->door = (struct source){ .ops = &ops, .kind = "model" };
	s->process = process;
	for (size_t t = 0; t < wanted->topic_count; t++) {
		struct cluster_topic *topic = cluster_topic(cluster, wanted->topics[t], CLUSTER_PARTITIONS);

		for (size_t p = 0; p < topic->partitions; p++) {
			struct model_lane *lane = &s->lanes[s->lane_count++];

			lane->topic = topic;
			lane->partition = (int32_t)p;
			lane->number = (size_t)(topic - cluster->topics) * CLUSTER_PARTITIONS + p;
		}
	}
	*source = &s->door;
	return 0;
}

struct source_maker
model_source(struct process *process)
{
	return (struct source_maker){ model_open, process };
}
