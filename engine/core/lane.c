/* SPDX-License-Identifier: MIT */
/*
 * A small hash table of the streams that something happens on right now; lanes come from a free list and go back to
 * it when nobody is in them. Whatever may have changed a lane puts it on the ready list, and lane_next looks at these
 * until it finds a command that may run: parked ones first, since they have waited in their own lane already.
 */
#include "core/lane.h"

#include <stdlib.h>

_Static_assert(DOMAIN_MAX <= 64, "a bit a domain");

static void
queue_put(struct lane_queue *queue, struct command *command)
{
	command->next = NULL;
	if (queue->last != NULL)
		queue->last->next = command;
	else
		queue->first = command;
	queue->last = command;
}

static struct command *
queue_take(struct lane_queue *queue)
{
	struct command *command = queue->first;

	queue->first = command->next;
	if (queue->first == NULL)
		queue->last = NULL;
	return command;
}

static struct lane **
place_of(struct lanes *lanes, struct slice name, uint64_t hash)
{
	struct lane **place = &lanes->buckets[hash & (LANE_BUCKETS - 1)];

	while (*place != NULL &&
	       !((*place)->hash == hash && slice_equal(slice_from((*place)->name, (*place)->size), name)))
		place = &(*place)->next;
	return place;
}

static struct lane *
find_or_make(struct lanes *lanes, struct slice name, uint64_t hash)
{
	struct lane **place = place_of(lanes, name, hash);
	struct lane *lane = *place;

	if (lane != NULL)
		return lane;
	must(name.size <= STREAM_NAME_MAX);
	lane = lanes->free;
	if (lane != NULL)
		lanes->free = lane->next;
	else if ((lane = malloc(sizeof(*lane))) == NULL)
		return NULL;
	memset(lane, 0, offsetof(struct lane, name));
	lane->hash = hash;
	lane->size = name.size;
	memcpy(lane->name, name.data, name.size);
	*place = lane;
	lanes->count++;
	return lane;
}

static void
drop_if_idle(struct lanes *lanes, struct lane *lane)
{
	struct lane **place;

	if (lane->holder != NULL || lane->flying != 0 || lane->waiting.first != NULL || lane->parked.first != NULL ||
	    lane->ready)
		return;
	place = place_of(lanes, slice_from(lane->name, lane->size), lane->hash);
	must(*place == lane);
	*place = lane->next;
	lane->next = lanes->free;
	lanes->free = lane;
	lanes->count--;
}

static void
look_at(struct lanes *lanes, struct lane *lane)
{
	struct lane_list *list = &lanes->ready[lane->domain];

	if (lane->ready)
		return;
	lane->ready = true;
	lane->next_ready = NULL;
	if (list->last != NULL)
		list->last->next_ready = lane;
	else
		list->first = lane;
	list->last = lane;
	lanes->ready_domains |= UINT64_C(1) << lane->domain;
}

void
lanes_fini(struct lanes *lanes)
{
	must(lanes->count == 0);
	while (lanes->free != NULL) {
		struct lane *lane = lanes->free;

		lanes->free = lane->next;
		free(lane);
	}
}

int
lane_enter(struct lanes *lanes, struct command *command)
{
	struct lane *lane = find_or_make(lanes, command->stream, command->hash);

	if (lane == NULL)
		return -1;
	command->lane = lane;
	if (!lane->ready) /* else it is on the list of the domain that it has */
		lane->domain = command->domain->number;
	queue_put(&lane->waiting, command);
	look_at(lanes, lane);
	return 0;
}

static struct command *
runnable(struct lane *lane)
{
	if (lane->flying != 0)
		return NULL;
	if (lane->parked.first != NULL)
		return queue_take(&lane->parked);
	if (lane->holder != NULL || lane->waiting.first == NULL)
		return NULL;
	lane->holder = queue_take(&lane->waiting);
	return lane->holder;
}

/* The domain whose turn it is, of those that have a list. */
static unsigned
next_domain(const struct lanes *lanes)
{
	uint64_t after = lanes->turn < 64 ? lanes->ready_domains >> lanes->turn << lanes->turn : 0;

	return (unsigned)__builtin_ctzll(after != 0 ? after : lanes->ready_domains);
}

struct command *
lane_next(struct lanes *lanes)
{
	while (lanes->ready_domains != 0) {
		unsigned domain = next_domain(lanes);
		struct lane_list *list = &lanes->ready[domain];
		struct lane *lane = list->first;
		struct command *command = runnable(lane);

		if (command != NULL) {
			lanes->turn = domain + 1;
			return command;
		}
		list->first = lane->next_ready;
		if (list->first == NULL) {
			list->last = NULL;
			lanes->ready_domains &= ~(UINT64_C(1) << domain);
		}
		lane->ready = false;
		drop_if_idle(lanes, lane);
	}
	return NULL;
}

void
lane_leave(struct lanes *lanes, struct command *command)
{
	must(command->lane->holder == command);
	command->lane->holder = NULL;
	look_at(lanes, command->lane);
	command->lane = NULL;
}

struct lane *
lane_fly(struct lanes *lanes, struct slice name, uint64_t hash)
{
	struct lane *lane = find_or_make(lanes, name, hash);

	if (lane != NULL)
		lane->flying++;
	return lane;
}

void
lane_land(struct lanes *lanes, struct lane *lane)
{
	must(lane->flying != 0);
	lane->flying--;
	look_at(lanes, lane);
}

struct lane *
lane_flying(struct lanes *lanes, struct slice name, uint64_t hash)
{
	struct lane *lane = *place_of(lanes, name, hash);

	return lane != NULL && lane->flying != 0 ? lane : NULL;
}

void
lane_park(struct lanes *lanes, struct lane *lane, struct command *command)
{
	queue_put(&lane->parked, command);
	look_at(lanes, lane);
}
