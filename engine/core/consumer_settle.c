/* SPDX-License-Identifier: MIT */
/*
 * What the committer's word means for a letter. Done: the place moved with the effect, in one commit. A place that was
 * not where it should be, or a stream that somebody else wrote: the lane is mended and decided again. An id that was
 * there already: only the place moves.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/probe.h"
#include "core/consumer_inside.h"

void
consumer_say(const struct consumer *consumer, const struct letter *letter, const char *came)
{
	const struct consumer_lane *lane = letter->lane;

	if (!letter->prepared && letter->purpose == LETTER_PLACE)
		return; /* no message */
	if (!letter->handled && strcmp(came, "nothing") == 0)
		return; /* no handler wants it */
	log_line(LOG_INFO, "message", log_slice("domain", consumer->options.domain->name),
		 log_text("reactor", consumer->name), log_slice("topic", letter->message.topic),
		 log_int("partition", lane != NULL ? lane->lane.partition : 0),
		 log_int("offset", (int64_t)letter->offset), log_slice("type", letter->heard.type),
		 log_slice("id", letter->heard.id), log_text("result", came));
}

static const char *
came_of(const struct letter *letter)
{
	switch (letter->purpose) {
	case LETTER_EFFECT:
		return letter->reaction.decided.refused != 0 ? "refused" : "done";
	case LETTER_PLACE:
		return "repeated";
	case LETTER_OLDER:
		return "older";
	case LETTER_NOTED:
		return "nothing";
	case LETTER_DEAD:
		return letter->moves_count ? "parked" : "dead";
	case LETTER_BEHIND:
		return "behind";
	case LETTER_AGAIN:
		return "done later";
	case LETTER_DROP:
		return "dropped";
	case LETTER_REWRITE:
		return "failed again";
	}
	return "";
}

static void
count(struct consumer *consumer, const struct letter *letter)
{
	consumer->refused += letter->reaction.decided.refused;
	switch (letter->purpose) {
	case LETTER_EFFECT:
		consumer->taken++;
		break;
	case LETTER_PLACE:
	case LETTER_OLDER:
		consumer->repeated += letter->prepared;
		break;
	case LETTER_NOTED:
		break;
	case LETTER_DEAD:
	case LETTER_BEHIND:
		consumer->dead++;
		break;
	case LETTER_AGAIN:
		consumer->taken++;
		consumer->dead--;
		break;
	case LETTER_DROP:
		consumer->dead--;
		break;
	case LETTER_REWRITE:
		break;
	}
}

static void
settle_done(struct consumer *consumer, struct letter *letter)
{
	struct consumer_lane *lane = letter->lane;

	letter->state = LETTER_DONE;
	count(consumer, letter);
	consumer_say(consumer, letter, came_of(letter));
	if (letter->purpose == LETTER_DEAD)
		log_line(LOG_WARN, "a dead letter", log_text("consumer", consumer->whole), log_text("lane", lane->key),
			 log_int("offset", (int64_t)letter->offset), log_text("code", letter->fault.code),
			 log_text("text", letter->fault.text));
	if (lane == NULL)
		return;
	lane->durable = letter->after;
	lane->durable_there = true;
	lane->moved_ns = consumer_now_ns(consumer);
	lane->pause_us = 0;
	if (lane->width < consumer->options.window)
		lane->width *= 2;
	if (!lane->revoked)
		source_told(consumer->sources[lane->source].source, &lane->lane, letter->after);
}

/* The append itself was at fault, or a unique key of its decision is taken. `buried`: it was to be a dead letter's. */
static void
blame(struct consumer *consumer, struct letter *letter, bool buried, const struct fault *fault)
{
	unsigned most = consumer->rule != NULL && consumer->rule->attempts != 0 ? consumer->rule->attempts : 3;

	letter->fault = *fault;
	letter->attempts++;
	if (letter->lane != NULL && buried) {
		fault_prefix(&letter->fault, "a dead letter cannot be recorded");
		consumer_halt(consumer, letter->lane, &letter->fault);
		return;
	}
	if (letter->lane == NULL || letter->attempts < most)
		return;
	if (consumer->rule != NULL && consumer->rule->failure == REACT_HALT && !letter->passes)
		consumer_halt(consumer, letter->lane, &letter->fault);
	else
		letter->purpose = LETTER_DEAD;
}

static void
settle_lost(struct consumer *consumer, struct letter *letter, bool buried)
{
	const struct append *append = &letter->reaction.submission.append;
	size_t record = append->conflict_record;
	struct fault taken;

	switch (append->answer) {
	case APPEND_RECORD_CONFLICT:
		if (append->records[record].space.size > 7 &&
		    memcmp(append->records[record].space.data, "unique/", 7) == 0) {
			fault_set(&taken, FAULT_INPUT, "already_taken", "%.*s is taken already",
				  SLICE_ARG(append->records[record].key));
			blame(consumer, letter, buried, &taken);
		}
		break;
	case APPEND_REPEATED:
	case APPEND_MISMATCH:
		letter->purpose = letter->purpose == LETTER_AGAIN ? LETTER_DROP : LETTER_PLACE;
		break;
	case APPEND_FAILED:
		blame(consumer, letter, buried, &append->fault);
		break;
	case APPEND_NONE:
	case APPEND_DONE:
	case APPEND_CONFLICT:
		break;
	}
}

void
consumer_settle(struct consumer *consumer, struct letter *letter)
{
	struct consumer_lane *lane = letter->lane;
	bool done = reaction_settle(&consumer->bench, &letter->reaction);
	bool buried = letter->purpose == LETTER_DEAD || letter->purpose == LETTER_BEHIND;

	(void)PROBE("consumer.after_commit");
	consumer->flying--;
	if (lane != NULL)
		lane->flying--;
	if (letter->moves_count && !done)
		consumer->parked_unsure = true;
	letter->state = LETTER_NEW;
	if (done) {
		settle_done(consumer, letter);
	} else {
		if (letter->purpose == LETTER_DEAD) { /* by a state that may never come to be */
			letter->purpose = LETTER_EFFECT;
			letter->attempts = 0;
		}
		if (lane != NULL)
			lane->broken = true;
		if (letter->reaction.submission.result == COMMIT_DONE)
			settle_lost(consumer, letter, buried);
		else if (lane != NULL && lane->again_ns == 0 && !lane->halted)
			consumer_stall(consumer, lane, &letter->reaction.submission.fault);
	}
	if (lane != NULL)
		consumer_shift(consumer, lane);
	else
		consumer_drained(consumer, letter, done);
}
