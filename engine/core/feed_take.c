/* SPDX-License-Identifier: MIT */
/*
 * A piece of a batch is one transaction: rows, the places of the lanes, what was heard of whom [I6]. What is no message
 * at all stops a projection that has come to the end; while its topics are read from their beginning it is passed over,
 * for no rules could mend what lies there.
 */
#include <stdio.h>

#include "base/probe.h"
#include "core/feed_inside.h"

/* ---- taking ---- */

/* See feed.h. What it reaches is remembered with the batch. */
static bool
is_repeat(struct feed *feed, struct heard *heard)
{
	struct sender *sender = heard->sender;

	if (sender == NULL)
		return heard->has_id && feed_inbox_hears(&feed->inbox, &heard->id);
	if (heard->position <= sender->reached && heard->message.time_us <= sender->reached_us)
		return true;
	sender->reached = heard->position;
	sender->reached_us = heard->message.time_us;
	return false;
}

static int
take_messages(struct projector *projector, struct projection *projection, size_t count, size_t *done,
	      struct fault *fault)
{
	const struct row_port *rows = view_rows(projector->options.view);
	struct feed *feed = projection->feed;

	for (*done = 0; *done < count; ++*done) {
		struct heard *heard = &feed->batch[feed->first + *done];
		size_t taken;

		if (heard->bad != NULL && !projection->now.rebuilding)
			return fault_set(fault, FAULT_INPUT, "bad_cloudevent", "%s", heard->bad);
		heard->lane->touched = true;
		heard->lane->reached = heard->offset + 1;
		heard->repeated = is_repeat(feed, heard);
		if (heard->wanted && !heard->repeated &&
		    script_project_messages(projector->machine, projection->number, rows, &heard->message, 1, &taken,
					    fault) != 0)
			return -1;
	}
	return 0;
}

static int
write_places(struct projector *projector, struct projection *projection, struct fault *fault)
{
	struct view *view = projector->options.view;
	char text[24];

	for (struct feed_lane *lane = projection->feed->lanes; lane != NULL; lane = lane->next) {
		struct view_checkpoint place = follow_checkpoint(projection, lane->reached);

		if (!lane->touched)
			continue;
		place.projection = slice_text(lane->name);
		if (view_mark(view, &place, fault) != 0)
			return -1;
		for (struct sender *sender = lane->senders; sender != NULL; sender = sender->next) {
			if (sender->reached == sender->position && sender->reached_us == sender->time_us)
				continue;
			snprintf(text, sizeof(text), "%lld", (long long)sender->reached_us);
			place.projection = slice_text(sender->name);
			place.position = sender->reached;
			place.reason = slice_text(text);
			if (view_mark(view, &place, fault) != 0)
				return -1;
		}
	}
	return feed_inbox_write(projector, projection, fault);
}

/* Whether the transaction became durable or not: what the batch has reached holds, or never was. */
static void
settle(struct feed *feed, bool done)
{
	feed_inbox_settle(&feed->inbox, done);
	for (struct feed_lane *lane = feed->lanes; lane != NULL; lane = lane->next) {
		if (!lane->touched)
			continue;
		lane->touched = false;
		if (done) {
			lane->place = lane->reached;
			lane->there = true;
			source_told(feed->source, &lane->lane, lane->place);
		}
		for (struct sender *sender = lane->senders; sender != NULL; sender = sender->next) {
			if (done) {
				sender->position = sender->reached;
				sender->time_us = sender->reached_us;
			} else {
				sender->reached = sender->position;
				sender->reached_us = sender->time_us;
			}
		}
	}
}

static void
tell(const struct projector *projector, const struct projection *projection, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct heard *heard = &projection->feed->batch[projection->feed->first + i];

		if (heard->bad != NULL)
			log_line(LOG_WARN, "passed over while its topics are read again",
				 log_slice("domain", projector->options.program->domain),
				 log_slice("projection", projection->script->name), log_text("reason", heard->bad));
		if (!heard->wanted)
			continue;
		log_line(LOG_INFO, "message", log_slice("domain", projector->options.program->domain),
			 log_slice("projection", projection->script->name), log_slice("topic", heard->lane->lane.topic),
			 log_int("partition", heard->lane->lane.partition), log_int("offset", (int64_t)heard->offset),
			 log_slice("type", heard->message.type), log_slice("id", heard->message.id),
			 log_text("result", heard->repeated ? "repeated" : "done"));
	}
}

/* `count` messages and their places in one transaction, with `stop` as the mark of one behind them at fault. On
 * failure *done of them went well before the one at fault. */
static int
take(struct projector *projector, struct projection *projection, size_t count, const struct view_checkpoint *stop,
     size_t *done, struct fault *fault)
{
	struct view_checkpoint checkpoint = follow_checkpoint(projection, projection->now.at + count);
	struct view *view = projector->options.view;
	struct feed *feed = projection->feed;
	bool well;

	*done = count;
	if (stop != NULL) {
		checkpoint.stopped = true;
		checkpoint.poison = stop->poison;
		checkpoint.reason = stop->reason;
	}
	if (view_begin(view, fault) != 0)
		return -1;
	well = take_messages(projector, projection, count, done, fault) == 0;
	if (well && PROBE("feed.before_commit")) {
		fault_set(fault, FAULT_AWAY, "probe", "probe");
		well = false;
	}
	well = well && write_places(projector, projection, fault) == 0 && view_commit(view, &checkpoint, fault) == 0;
	if (!well)
		view_rollback(view);
	settle(feed, well);
	if (!well)
		return -1;
	(void)PROBE("feed.after_commit");
	tell(projector, projection, count);
	follow_reached(projector, projection, checkpoint.position);
	feed->first += count;
	return 0;
}

/* Those before the message at fault are committed together with the mark. */
static int
stop_at(struct projector *projector, struct projection *projection, size_t good, const struct fault *why,
	struct fault *fault)
{
	struct feed *feed = projection->feed;
	const struct heard *heard = &feed->batch[feed->first + good];
	struct view_checkpoint stop = { .poison = heard->offset };
	char reason[sizeof(why->text)];
	size_t done;

	if (heard->bad != NULL) /* says where it lies */
		snprintf(reason, sizeof(reason), "%.*s", (int)sizeof(reason) - 1, heard->bad);
	else
		snprintf(reason, sizeof(reason), "%.*s/%d/%llu: %.*s: %.300s", SLICE_ARG(heard->lane->lane.topic),
			 (int)heard->lane->lane.partition, (unsigned long long)heard->offset,
			 heard->message.type.size < 100 ? (int)heard->message.type.size : 100, heard->message.type.data,
			 why->text);
	stop.reason = slice_text(reason);
	if (take(projector, projection, good, &stop, &done, fault) != 0)
		return -1;
	feed_show_stop(projection, stop.poison, reason);
	feed_go_back(feed, true);
	log_line(LOG_ERROR, "projection stopped at a message", log_slice("domain", projector->options.program->domain),
		 log_slice("projection", projection->script->name), log_text("reason", reason));
	return 0;
}

/* The next piece of what was pulled. Gives false when it met something that may pass. */
bool
feed_take(struct projector *projector, struct projection *projection)
{
	struct feed *feed = projection->feed;
	size_t count = feed->count - feed->first, done;
	struct fault fault, again;
	int64_t time_us;

	if (count > projector->batch)
		count = projector->batch;
	if (feed->inbox.room != 0 && count > feed->inbox.room)
		count = feed->inbox.room;
	time_us = feed->batch[feed->first + count - 1].message.time_us;
	fault_clear(&fault);
	if (take(projector, projection, count, NULL, &done, &fault) == 0) {
		projection->now.oldest_us = time_us;
		return true;
	}
	if (follow_is_poison(&fault) && done < count) {
		if (stop_at(projector, projection, done, &fault, &again) == 0)
			return true;
		fault = again;
	}
	if (projector->batch > count)
		projector->batch = count;
	follow_wait_out(projector, projection, &fault);
	return false;
}
