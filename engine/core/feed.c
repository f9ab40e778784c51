/* SPDX-License-Identifier: MIT */
/*
 * A round: news and messages from the source into a batch, the batch into the view in one transaction with the places
 * that it reaches, then the next. The group of the source shares nothing out, for every store has its own; where a lane
 * begins is what the view says, so a process that died anywhere goes on behind its last whole batch, and what comes
 * again below that place is dropped [I6].
 *
 *   batch:  empty -> pulled -> (taken in pieces, each a transaction) -> empty
 *           pulled -> dropped, the lanes go back to their places: the projection stops, or is rebuilt
 *
 * A message at fault stops the projection: those before it are committed with the mark, its lanes are paused and go
 * back. A place that the broker has no more (retention, a topic made anew) stops it too: nothing is skipped by itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/feed_inside.h"

#define ARENA_SPARE   ((size_t)64 << 20)
#define LOOK_NS       ((int64_t)100 * 1000 * 1000)
#define OPEN_FIRST_NS ((int64_t)100 * 1000 * 1000)
#define OPEN_LAST_NS  ((int64_t)5 * 1000 * 1000 * 1000)

static int64_t
now_ns(const struct projector *projector)
{
	return clock_mono_ns(projector->options.clock);
}

bool
feed_is_level(const struct projection *projection)
{
	return projection->feed->level || projection->now.stopped;
}

/* ---- opening and closing ---- */

int
feed_open(struct projector *projector, struct projection *projection, struct fault *fault)
{
	const struct script_projection *script = projection->script;
	struct view *view = projector->options.view;
	struct feed *feed = calloc(1, sizeof(*feed));
	struct view_checkpoint checkpoint, old;
	bool before, found;

	if (feed == NULL || (feed->batch = calloc(FEED_MESSAGES, sizeof(*feed->batch))) == NULL) {
		free(feed);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a projection's messages");
	}
	arena_init(&feed->arena, projector->options.batch_bytes + ARENA_SPARE);
	feed->more = true;
	projection->feed = feed;
	projection->now.by_bus = true;
	projection->now.unsure = true;
	checkpoint = follow_checkpoint(projection, 0);
	arena_clear(&projector->page);
	if (view_checkpoint(view, script->name, &projector->page, &old, &before, fault) != 0 ||
	    view_define(view, script->name, checkpoint.hash, script->tables, script->table_count, fault) != 0 ||
	    view_checkpoint(view, script->name, &projector->page, &checkpoint, &found, fault) != 0)
		return -1;
	if (before && !found)
		follow_say(LOG_INFO, "projection changed, its topics are read again", projector, projection);
	projection->now.rebuilding = !found;
	if (!found)
		return 0;
	follow_resume(projection, &checkpoint);
	if (checkpoint.stopped)
		follow_say(LOG_ERROR, "projection is stopped at a message", projector, projection);
	return 0;
}

void
feed_close(struct projection *projection)
{
	struct feed *feed = projection->feed;

	if (feed == NULL)
		return;
	if (feed->source != NULL)
		source_close(feed->source);
	feed_free_lanes(feed);
	feed_inbox_forget(&feed->inbox);
	arena_fini(&feed->arena);
	free(feed->batch);
	free(feed);
	projection->feed = NULL;
}

static void
wake(void *self)
{
	projector_wake(self);
}

static int
open_source(struct projector *projector, struct projection *projection, struct fault *fault)
{
	const struct source_maker *maker = &projector->options.foreign;
	char group[FEED_NAME_SIZE];
	struct source_wanted wanted = { .alone = true,
					.topics = projection->script->topics,
					.topic_count = projection->script->topic_count,
					.waker = { wake, projector } };

	snprintf(group, sizeof(group), "%.*s.%.*s.%u", SLICE_ARG(projector->options.program->domain),
		 SLICE_ARG(projection->script->name), projector->options.slot);
	wanted.group = slice_text(group);
	return maker->open(maker->self, &wanted, &projection->feed->source, fault);
}

/* ---- rounds ---- */

/* Rows stand still until it is heard again; that is told once, and shown as long as it lasts. */
static void
is_away(struct projector *projector, struct projection *projection, const struct fault *fault)
{
	struct projection_shown *now = &projection->now;

	if (now->away_us == 0) {
		now->away_us = clock_wall_us(projector->options.clock);
		log_line(LOG_WARN, "a projection cannot hear its topics",
			 log_slice("domain", projector->options.program->domain),
			 log_slice("projection", projection->script->name), log_text("code", fault->code),
			 log_text("text", fault->text));
	}
	if (!now->stopped)
		snprintf(now->reason, sizeof(now->reason), "%s", fault->text);
}

static void
is_back(struct projector *projector, struct projection *projection)
{
	struct projection_shown *now = &projection->now;
	int64_t away_us = clock_wall_us(projector->options.clock) - now->away_us;

	if (now->away_us == 0)
		return;
	now->away_us = 0;
	if (!now->stopped)
		now->reason[0] = '\0';
	log_line(LOG_INFO, "a projection hears its topics again",
		 log_slice("domain", projector->options.program->domain),
		 log_slice("projection", projection->script->name), log_int("away_seconds", away_us / 1000000));
}

/* The bus cannot be heard now; what else the projector follows goes on. */
static void
trouble(struct projector *projector, struct projection *projection, const struct fault *fault)
{
	struct feed *feed = projection->feed;

	is_away(projector, projection, fault);
	/* Asked for long in vain: it may be lost for good, as a member that another one of its name has put out. */
	if (feed->source != NULL && feed->pause_ns == OPEN_LAST_NS)
		feed_leave(feed);
	feed->pause_ns = feed->pause_ns == 0 ? OPEN_FIRST_NS : 2 * feed->pause_ns;
	if (feed->pause_ns > OPEN_LAST_NS)
		feed->pause_ns = OPEN_LAST_NS;
	feed->again_ns = now_ns(projector) + feed->pause_ns;
}

static void
hear(struct projector *projector, struct projection *projection)
{
	struct feed *feed = projection->feed;
	struct fault fault;

	feed->first = feed->count = feed->bytes = 0;
	arena_clear(&feed->arena);
	feed->again_ns = 0;
	if ((feed->source == NULL && open_source(projector, projection, &fault) != 0) ||
	    feed_pull(projector, projection, &fault) != 0) {
		trouble(projector, projection, &fault);
		return;
	}
	feed->pause_ns = 0;
}

static bool
hears_all(const struct projection *projection)
{
	for (size_t i = 0; i < projection->script->topic_count; i++) {
		const struct feed_lane *lane = projection->feed->lanes;

		while (lane != NULL && !(lane->ours && slice_equal(lane->lane.topic, projection->script->topics[i])))
			lane = lane->next;
		if (lane == NULL)
			return false;
	}
	return true;
}

/* How far behind it is, and whether it has come to the end. */
static void
look(struct projector *projector, struct projection *projection)
{
	struct feed *feed = projection->feed;
	bool heard = feed->source != NULL && feed->pause_ns == 0;
	struct projection_shown *now = &projection->now;
	uint64_t behind = UINT64_MAX;
	struct fault fault;

	if (heard && !source_hears(feed->source, &fault))
		is_away(projector, projection, &fault);
	else if (heard && hears_all(projection)) { /* also after its lanes were lost with the bus */
		is_back(projector, projection);
		behind = source_behind(feed->source);
	}
	now->unsure = behind == UINT64_MAX;
	now->waiting = now->unsure ? 0 : behind + (feed->count - feed->first);
	if (!now->stopped && behind == 0 && feed->first == feed->count && !feed->more) {
		feed->level = true;
		now->oldest_us = 0;
	}
	if (now->rebuilding)
		follow_tell_progress(projector, projection, now->at + (feed->level ? 0 : now->waiting + 1));
}

bool
feed_round(struct projector *projector)
{
	bool well = true;

	for (size_t i = 0; i < projector->count; i++) {
		struct projection *projection = &projector->projections[i];
		struct feed *feed = projection->feed;

		if (feed == NULL)
			continue;
		if (projection->now.stopped && !feed->quiet)
			feed_go_back(feed, true);
		if (feed->first == feed->count && feed->again_ns <= now_ns(projector))
			hear(projector, projection);
		if (feed->first < feed->count)
			well = feed_take(projector, projection) && well;
		look(projector, projection);
	}
	return well;
}

int64_t
feed_wait_ns(const struct projector *projector)
{
	int64_t wait_ns = INT64_MAX;

	for (size_t i = 0; projector->limit == UINT64_MAX && i < projector->count; i++) {
		const struct projection *projection = &projector->projections[i];
		const struct feed *feed = projection->feed;
		int64_t one_ns = INT64_MAX;

		if (feed == NULL)
			continue;
		if (feed->first < feed->count || feed->source == NULL || feed->more)
			one_ns = 0;
		else if (!feed->level && !projection->now.stopped)
			one_ns = LOOK_NS;
		if (feed->first == feed->count && feed->pause_ns != 0) {
			int64_t left_ns = feed->again_ns - now_ns(projector);

			one_ns = left_ns > 0 ? left_ns : 0;
		}
		wait_ns = one_ns < wait_ns ? one_ns : wait_ns;
	}
	return wait_ns;
}

/* ---- orders ---- */

/* The lane of the message that it is stopped at: its reason begins with topic/partition/offset. NULL: *fault. */
static struct feed_lane *
stopped_lane(struct projector *projector, struct projection *projection, struct fault *fault)
{
	const char *reason = projection->now.reason, *slash = strchr(reason, '/');
	struct source_lane wanted = { .topic = SLICE_NONE };

	if (slash == NULL) {
		fault_set(fault, FAULT_CORRUPT, "view_corrupt", "a projection is stopped at \"%s\", which is no place",
			  reason);
		return NULL;
	}
	wanted.topic = slice_from(reason, (size_t)(slash - reason));
	wanted.partition = (int32_t)strtol(slash + 1, NULL, 10);
	return feed_need_lane(projector, projection, &wanted, fault);
}

static int
rebuild(struct projector *projector, struct projection *projection, struct fault *fault)
{
	const struct script_projection *script = projection->script;
	struct feed *feed = projection->feed;

	if (view_reset(projector->options.view, script->name, script->tables, script->table_count, fault) != 0)
		return -1;
	atomic_store(&projector->read, false);
	for (struct feed_lane *lane = feed->lanes; lane != NULL; lane = lane->next) {
		feed_free_senders(lane);
		lane->there = false;
		lane->place = 0;
	}
	feed_inbox_forget(&feed->inbox);
	feed->level = false;
	projection->now =
		(struct projection_shown){ .by_bus = true, .rebuilding = true, .away_us = projection->now.away_us };
	projection->stored = 0;
	projection->rate_since_ns = projection->told_ns = 0;
	feed_go_back(feed, false);
	follow_say(LOG_WARN, "projection is rebuilt by order, its topics are read again", projector, projection);
	return 0;
}

int
feed_obey(struct projector *projector, struct projection *projection, enum projection_order order, struct fault *fault)
{
	struct projection_shown before = projection->now;
	struct feed_lane *lane, *moved = NULL;
	uint64_t place;
	bool there;

	if (order == PROJECTION_REBUILD)
		return rebuild(projector, projection, fault);
	lane = stopped_lane(projector, projection, fault);
	if (lane == NULL)
		return -1;
	place = lane->place;
	there = lane->there;
	if (order == PROJECTION_SKIP && strstr(before.reason, ": " FEED_GONE ": ") != NULL) {
		lane->there = false; /* the oldest that the broker has */
	} else if (order == PROJECTION_SKIP) {
		lane->place = before.poison + 1;
		moved = lane;
	}
	projection->now.stopped = false;
	projection->now.poison = 0;
	if (feed_write_mark(projector, projection, moved, fault) != 0) {
		projection->now = before;
		lane->place = place;
		lane->there = there;
		return -1;
	}
	if (moved != NULL)
		lane->there = true;
	projection->now.reason[0] = '\0';
	feed_go_back(projection->feed, false);
	log_line(LOG_WARN, order == PROJECTION_SKIP ? "message skipped by order" : "message is tried again by order",
		 log_slice("domain", projector->options.program->domain),
		 log_slice("projection", projection->script->name), log_text("reason", before.reason));
	return 0;
}
