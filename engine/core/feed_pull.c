/* SPDX-License-Identifier: MIT */
/*
 * Lanes come and go as the source says; each begins at the place that the view has. A message is decoded when it is
 * pulled; one that is none takes its place in the batch all the same, and stops the projection when its turn comes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/cloudevent.h"
#include "core/feed_inside.h"

#define SENDERS_MAX 256 /* of one lane that are remembered */
#define SENDER_SIZE 256 /* of a source's name; longer ones are not remembered */

/* ---- lanes ---- */

void
feed_free_senders(struct feed_lane *lane)
{
	while (lane->senders != NULL) {
		struct sender *sender = lane->senders;

		lane->senders = sender->next;
		free(sender->name);
		free(sender);
	}
	lane->sender_count = 0;
}

void
feed_free_lanes(struct feed *feed)
{
	while (feed->lanes != NULL) {
		struct feed_lane *lane = feed->lanes;

		feed->lanes = lane->next;
		feed_free_senders(lane);
		free(lane);
	}
}

static struct feed_lane *
find_lane(struct feed *feed, const struct source_lane *wanted)
{
	struct feed_lane *lane = feed->lanes;

	while (lane != NULL &&
	       !(lane->lane.partition == wanted->partition && slice_equal(lane->lane.topic, wanted->topic)))
		lane = lane->next;
	return lane;
}

/* Made, with the place that the view has, when there is none yet. NULL: *fault. */
struct feed_lane *
feed_need_lane(struct projector *projector, struct projection *projection, const struct source_lane *wanted,
	       struct fault *fault)
{
	struct feed_lane *lane = find_lane(projection->feed, wanted);
	struct view_checkpoint checkpoint;
	size_t prefix = projection->script->name.size + 1;

	if (lane != NULL)
		return lane;
	if (wanted->topic.size > STORE_TOPIC_MAX) {
		fault_set(fault, FAULT_LIMIT, "topic_too_long", "a topic's name has %zu bytes", wanted->topic.size);
		return NULL;
	}
	lane = calloc(1, sizeof(*lane));
	if (lane == NULL) {
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for a lane");
		return NULL;
	}
	snprintf(lane->name, sizeof(lane->name), "%.*s@%.*s/%d", SLICE_ARG(projection->script->name),
		 SLICE_ARG(wanted->topic), (int)wanted->partition);
	lane->lane = (struct source_lane){ slice_from(lane->name + prefix, wanted->topic.size), wanted->partition };
	arena_clear(&projector->page);
	if (view_checkpoint(projector->options.view, slice_text(lane->name), &projector->page, &checkpoint,
			    &lane->there, fault) != 0) {
		free(lane);
		return NULL;
	}
	if (lane->there)
		lane->place = checkpoint.position;
	lane->next = projection->feed->lanes;
	projection->feed->lanes = lane;
	return lane;
}

/* The source gives what comes after the last message that was pulled, or after the lane's place. */
static int
begin_lane(struct feed *feed, struct feed_lane *lane, bool paused, struct fault *fault)
{
	uint64_t offset = lane->pulled ? lane->after : lane->there ? lane->place : SOURCE_START;

	if (source_begin(feed->source, &lane->lane, offset, fault) != 0)
		return -1;
	return source_pause(feed->source, &lane->lane, paused, fault);
}

/* What was pulled is dropped: the lanes go back to their places. */
void
feed_go_back(struct feed *feed, bool paused)
{
	struct fault fault;

	feed->first = feed->count = feed->bytes = 0;
	arena_clear(&feed->arena);
	for (struct feed_lane *lane = feed->lanes; lane != NULL; lane = lane->next) {
		lane->pulled = lane->touched = false;
		if (lane->ours && feed->source != NULL && begin_lane(feed, lane, paused, &fault) != 0)
			log_fault(LOG_WARN, "a lane of a projection cannot go back", &fault);
	}
	feed->quiet = paused;
}

/* ---- pulling ---- */

/* The first 20 digits of what we send as sequence; anything else tells nothing. */
static bool
read_sequence(const struct react_message *message, log_position *position)
{
	struct slice s = message->sequence;

	return s.size == 25 && s.data[20] == '-' && slice_to_u64(slice_from(s.data, 20), position) && *position != 0;
}

static int
make_sender(struct projector *projector, struct feed_lane *lane, struct slice name, struct sender **made,
	    struct fault *fault)
{
	struct sender *sender = calloc(1, sizeof(*sender));
	struct view_checkpoint checkpoint;
	uint64_t time_us = 0;

	if (sender == NULL || (sender->name = strndup(name.data, name.size)) == NULL) {
		free(sender);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a sender");
	}
	arena_clear(&projector->page);
	if (view_checkpoint(projector->options.view, name, &projector->page, &checkpoint, &sender->there, fault) != 0) {
		free(sender->name);
		free(sender);
		return -1;
	}
	if (sender->there && slice_to_u64(checkpoint.reason, &time_us)) {
		sender->position = sender->reached = checkpoint.position;
		sender->time_us = sender->reached_us = (int64_t)time_us;
	}
	sender->next = lane->senders;
	lane->senders = sender;
	lane->sender_count++;
	*made = sender;
	return 0;
}

static int
know_sender(struct projector *projector, struct heard *heard, struct fault *fault)
{
	struct feed_lane *lane = heard->lane;
	struct slice source = heard->message.source;
	char name[FEED_NAME_SIZE + SENDER_SIZE];
	struct sender *sender = lane->senders;

	if (!read_sequence(&heard->message, &heard->position) || source.size >= SENDER_SIZE)
		return 0;
	snprintf(name, sizeof(name), "%s#%.*s", lane->name, SLICE_ARG(source));
	while (sender != NULL && strcmp(sender->name, name) != 0)
		sender = sender->next;
	if (sender == NULL && lane->sender_count < SENDERS_MAX &&
	    make_sender(projector, lane, slice_text(name), &sender, fault) != 0)
		return -1;
	heard->sender = sender;
	return 0;
}

static int
take_in(struct projector *projector, struct projection *projection, struct feed_lane *lane,
	const struct source_event *event, struct fault *fault)
{
	const struct script_projection *script = projection->script;
	struct feed *feed = projection->feed;
	struct heard *heard = &feed->batch[feed->count];
	char place[FEED_NAME_SIZE + 24];

	*heard = (struct heard){ .lane = lane, .offset = event->offset };
	snprintf(place, sizeof(place), "%.*s/%d/%llu", SLICE_ARG(lane->lane.topic), (int)lane->lane.partition,
		 (unsigned long long)event->offset);
	if (cloudevent_decode(&event->message, place, &feed->arena, &heard->message, fault) != 0) {
		if (!follow_is_poison(fault))
			return -1;
		heard->bad = arena_copy(&feed->arena, slice_from(fault->text, strlen(fault->text) + 1)).data;
		if (heard->bad == NULL)
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a message");
	}
	if (know_sender(projector, heard, fault) != 0)
		return -1;
	heard->wanted = heard->bad == NULL &&
			script_message_heard(script->messages, script->message_count, heard->message.type) >= 0;
	heard->has_id = heard->wanted && heard->sender == NULL && !slice_equal(heard->message.id, slice_text(place));
	if (heard->has_id && feed_inbox_load(projector, projection, fault) != 0)
		return -1;
	if (heard->has_id)
		heard->id = command_id_make(script->name, heard->message.source, heard->message.id);
	feed->count++;
	feed->bytes += event->message.value.size + event->message.key.size;
	lane->pulled = true;
	lane->after = event->offset + 1;
	return 0;
}

void
feed_show_stop(struct projection *projection, log_position poison, const char *reason)
{
	projection->now.stopped = true;
	projection->now.rebuilding = false;
	projection->now.poison = poison;
	snprintf(projection->now.reason, sizeof(projection->now.reason), "%s", reason);
}

/* One transaction: the mark that stops it, or that lets it go on; a lane's place with it when there is one. */
int
feed_write_mark(struct projector *projector, struct projection *projection, const struct feed_lane *lane,
		struct fault *fault)
{
	struct view_checkpoint checkpoint = follow_checkpoint(projection, projection->now.at);
	struct view *view = projector->options.view;

	checkpoint.stopped = projection->now.stopped;
	checkpoint.poison = projection->now.poison;
	checkpoint.reason = slice_text(projection->now.stopped ? projection->now.reason : "");
	if (view_begin(view, fault) != 0)
		return -1;
	if (lane != NULL) {
		struct view_checkpoint place = follow_checkpoint(projection, lane->place);

		place.projection = slice_text(lane->name);
		if (view_mark(view, &place, fault) != 0)
			goto failed;
	}
	if (view_commit(view, &checkpoint, fault) == 0)
		return 0;
failed:
	view_rollback(view);
	return -1;
}

/* Its place is not there any more: nothing more is heard until somebody decides. */
static void
stop_gone(struct projector *projector, struct projection *projection, struct feed_lane *lane, const struct fault *why)
{
	char reason[sizeof(why->text)];
	struct fault fault;

	snprintf(reason, sizeof(reason), "%.*s/%d/%llu: " FEED_GONE ": %.300s", SLICE_ARG(lane->lane.topic),
		 (int)lane->lane.partition, (unsigned long long)lane->place, why->text);
	feed_show_stop(projection, lane->place, reason);
	if (feed_write_mark(projector, projection, NULL, &fault) != 0)
		log_fault(LOG_WARN, "that a projection is stopped is not written", &fault);
	feed_go_back(projection->feed, true);
	log_line(LOG_ERROR, "projection stopped: its place is gone",
		 log_slice("domain", projector->options.program->domain),
		 log_slice("projection", projection->script->name), log_text("reason", reason));
}

static int
take_news(struct projector *projector, struct projection *projection, struct source_event *event, struct fault *fault)
{
	struct feed *feed = projection->feed;
	struct feed_lane *lane = feed_need_lane(projector, projection, &event->lane, fault);

	if (lane == NULL)
		return -1;
	switch (event->what) {
	case SOURCE_ASSIGNED:
		lane->ours = true;
		return begin_lane(feed, lane, projection->now.stopped, fault);
	case SOURCE_REVOKED:
		lane->ours = false;
		break;
	case SOURCE_PASSED:
		break;
	case SOURCE_GONE:
		if (!projection->now.stopped)
			stop_gone(projector, projection, lane, fault);
		break;
	case SOURCE_MESSAGE:
		if (projection->now.stopped || (lane->pulled && event->offset < lane->after) ||
		    (lane->there && event->offset < lane->place))
			break;
		return take_in(projector, projection, lane, event, fault);
	case SOURCE_NOTHING:
		break;
	}
	return 0;
}

void
feed_leave(struct feed *feed)
{
	source_close(feed->source);
	feed->source = NULL;
	for (struct feed_lane *lane = feed->lanes; lane != NULL; lane = lane->next)
		lane->ours = false;
	feed_go_back(feed, feed->quiet);
}

/* News and messages until there is nothing, or no room. */
int
feed_pull(struct projector *projector, struct projection *projection, struct fault *fault)
{
	struct feed *feed = projection->feed;
	struct source_event event;

	feed->more = true;
	while (feed->count < FEED_MESSAGES && feed->bytes < projector->options.batch_bytes) {
		fault_clear(fault);
		event = (struct source_event){ .what = SOURCE_NOTHING };
		if (source_next(feed->source, &feed->arena, &event, fault) != 0)
			return -1;
		if (event.what == SOURCE_NOTHING) {
			feed->more = false;
			break;
		}
		if (take_news(projector, projection, &event, fault) != 0) {
			if (event.what == SOURCE_MESSAGE)
				feed_go_back(feed, projection->now.stopped);
			else
				feed_leave(feed); /* news that was not taken does not come again */
			return -1;
		}
	}
	return 0;
}
