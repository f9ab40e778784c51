/* SPDX-License-Identifier: MIT */
/*
 * Lanes come and go as the sources say; a lane begins at the place that the store has. What stands in a lane that
 * cannot go on (it waits, it is halted) does not count against the room of the others, and its source gives no more.
 *
 * A lane whose append lost is mended when all of it are back: the place is read again. Where it is as this consumer
 * left it, the messages that are not done are decided again; where somebody else moved it, they take it from there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "core/consumer_inside.h"

#define LETTER_MEMORY ((size_t)64 << 20)
#define QUEUED_BYTES  ((size_t)16 << 20)
#define IDLE_NS       ((int64_t)5 * 1000 * 1000 * 1000)
#define IDLE_OFFSETS  1000

/* ---- letters ---- */

struct letter *
consumer_spare(struct consumer *consumer)
{
	struct letter *letter = consumer->spare;

	if (letter != NULL) {
		struct arena arena = letter->reaction.arena;

		consumer->spare = letter->next;
		memset(letter, 0, sizeof(*letter));
		letter->reaction.arena = arena;
		return letter;
	}
	letter = calloc(1, sizeof(*letter));
	if (letter != NULL)
		arena_init(&letter->reaction.arena, LETTER_MEMORY);
	return letter;
}

void
consumer_put_away(struct consumer *consumer, struct letter *letter)
{
	must(letter->state != LETTER_FLYING && letter->reaction.seat == NULL);
	arena_clear(&letter->reaction.arena);
	letter->next = consumer->spare;
	consumer->spare = letter;
}

static bool
goes_on(const struct consumer_lane *lane)
{
	return !lane->halted && lane->again_ns == 0;
}

static void
add_letter(struct consumer *consumer, struct consumer_lane *lane, struct letter *letter)
{
	letter->lane = lane;
	letter->next = NULL;
	letter->reaction.mark = arena_mark(&letter->reaction.arena);
	*(lane->last != NULL ? &lane->last->next : &lane->first) = letter;
	lane->last = letter;
	lane->count++;
	lane->bytes += letter->bytes;
	if (goes_on(lane)) {
		consumer->queued++;
		consumer->queued_bytes += letter->bytes;
	}
}

static void
take_first(struct consumer *consumer, struct consumer_lane *lane)
{
	struct letter *letter = lane->first;

	lane->first = letter->next;
	if (lane->first == NULL)
		lane->last = NULL;
	lane->count--;
	lane->bytes -= letter->bytes;
	if (goes_on(lane)) {
		consumer->queued--;
		consumer->queued_bytes -= letter->bytes;
	}
	consumer_put_away(consumer, letter);
}

void
consumer_shift(struct consumer *consumer, struct consumer_lane *lane)
{
	while (lane->first != NULL && lane->first->state == LETTER_DONE) {
		if (lane->first->after > lane->reached)
			lane->reached = lane->first->after;
		take_first(consumer, lane);
	}
	if (lane->first == NULL && lane->passed > lane->reached)
		lane->reached = lane->passed;
}

/* ---- waiting ---- */

int64_t
consumer_pause(struct consumer *consumer, int64_t before_us)
{
	int64_t pause_us = before_us == 0 ? consumer->options.retry_first_us : 2 * before_us;
	uint32_t chance;

	if (pause_us > consumer->options.retry_last_us)
		pause_us = consumer->options.retry_last_us;
	entropy_fill(consumer->options.entropy, &chance, sizeof(chance));
	/* Between three and five quarters, so that those who failed together do not come back together. */
	return pause_us / 4 * 3 + (int64_t)(chance % 1000) * (pause_us / 2) / 1000 + 1;
}

static void
pause_source(struct consumer *consumer, struct consumer_lane *lane, bool paused)
{
	struct fault fault;

	if (lane->paused == paused || lane->revoked)
		return;
	lane->paused = paused;
	if (source_pause(consumer->sources[lane->source].source, &lane->lane, paused, &fault) != 0)
		log_fault(LOG_WARN, "a lane cannot be paused", &fault);
}

static void
stand_still(struct consumer *consumer, struct consumer_lane *lane, const struct fault *fault)
{
	if (goes_on(lane)) {
		consumer->queued -= lane->count;
		consumer->queued_bytes -= lane->bytes;
	}
	if (&lane->fault != fault)
		lane->fault = *fault;
	pause_source(consumer, lane, true);
}

void
consumer_stall(struct consumer *consumer, struct consumer_lane *lane, const struct fault *fault)
{
	int64_t pause_us = consumer_pause(consumer, lane->pause_us);

	stand_still(consumer, lane, fault);
	if (strcmp(fault->code, "retry") == 0 && fault->native > 0)
		pause_us = (int64_t)fault->native * 1000;
	else if (lane->pause_us == 0)
		log_line(LOG_WARN, "a lane waits", log_text("consumer", consumer->whole), log_text("lane", lane->key),
			 log_text("code", fault->code), log_text("text", fault->text));
	lane->pause_us = pause_us;
	lane->again_ns = consumer_now_ns(consumer) + pause_us * 1000;
	lane->width = 1;
}

void
consumer_halt(struct consumer *consumer, struct consumer_lane *lane, const struct fault *fault)
{
	stand_still(consumer, lane, fault);
	lane->halted = true;
	lane->width = 1;
	log_line(LOG_ERROR, "a lane is halted: mend it, or `moonlog dlq skip` passes what stands in its way",
		 log_text("consumer", consumer->whole), log_text("lane", lane->key), log_text("code", fault->code),
		 log_text("text", fault->text));
}

void
consumer_go_on(struct consumer *consumer, struct consumer_lane *lane)
{
	if (goes_on(lane))
		return;
	lane->halted = false;
	lane->again_ns = 0;
	consumer->queued += lane->count;
	consumer->queued_bytes += lane->bytes;
	pause_source(consumer, lane, false);
}

void
consumer_resume(struct consumer *consumer)
{
	for (struct consumer_lane *lane = consumer->lanes; lane != NULL; lane = lane->next) {
		if (lane->halted && lane->first != NULL)
			lane->first->attempts = 0;
		lane->pause_us = 0;
		consumer_go_on(consumer, lane);
	}
}

/* ---- places ---- */

struct place {
	bool there;
	uint64_t offset;
	char text[PLACE_SIZE];
};

/* What the store says of the lane. */
static int
read_place(struct consumer *consumer, const struct consumer_lane *lane, struct place *place, struct fault *fault)
{
	struct arena *pages = &consumer->bench.pages;
	struct slice value = SLICE_NONE, number;

	*place = (struct place){ .there = false };
	arena_clear(pages);
	if (store_read_record(consumer->bench.reader, consumer->place_space, slice_text(lane->key), pages, &value,
			      &place->there, fault) != 0)
		return -1;
	number = value;
	for (size_t i = 0; i < value.size; i++)
		if (value.data[i] == ' ' && number.size == value.size)
			number.size = i;
	snprintf(place->text, sizeof(place->text), "%.*s", SLICE_ARG(value));
	if (!place->there || (value.size < sizeof(place->text) && slice_to_u64(number, &place->offset)))
		return 0;
	return fault_set(fault, FAULT_CORRUPT, "bad_place", "%s %s: the place \"%.*s\" is no number", consumer->whole,
			 lane->key, SLICE_ARG(value));
}

static void
drop_letters(struct consumer *consumer, struct consumer_lane *lane, uint64_t before)
{
	must(lane->flying == 0);
	while (lane->first != NULL && lane->first->offset < before)
		take_first(consumer, lane);
}

static void
take_place(struct consumer_lane *lane, const struct place *place)
{
	lane->place_there = lane->durable_there = place->there;
	lane->place = lane->durable = place->offset;
	memcpy(lane->place_text, place->text, sizeof(place->text));
}

static void
start(struct consumer *consumer, struct consumer_lane *lane)
{
	struct place place;
	struct fault fault;

	if (read_place(consumer, lane, &place, &fault) != 0 ||
	    source_begin(consumer->sources[lane->source].source, &lane->lane, place.there ? place.offset : SOURCE_START,
			 &fault) != 0) {
		consumer_stall(consumer, lane, &fault);
		return;
	}
	drop_letters(consumer, lane, UINT64_MAX);
	lane->starting = lane->broken = lane->gone = false;
	take_place(lane, &place);
	lane->reached = lane->passed = place.offset;
	lane->moved_ns = consumer_now_ns(consumer);
	lane->pause_us = 0;
}

/* All of it are back: see the head of this file. */
static void
mend(struct consumer *consumer, struct consumer_lane *lane)
{
	struct place place;
	struct fault fault;

	if (read_place(consumer, lane, &place, &fault) != 0) {
		consumer_stall(consumer, lane, &fault);
		return;
	}
	if (place.there != lane->durable_there || place.offset != lane->durable) {
		log_line(LOG_WARN, "a lane's place was moved by somebody else", log_text("consumer", consumer->whole),
			 log_text("lane", lane->key), log_int("place", (int64_t)place.offset),
			 log_int("was", (int64_t)lane->durable));
		drop_letters(consumer, lane, place.offset);
		consumer->parked_unsure = true;
		lane->starting = lane->starting || !place.there || place.offset < lane->durable || lane->first == NULL;
	}
	lane->broken = false;
	take_place(lane, &place);
	lane->width = 1;
}

/* The place of a lane on which nothing happens follows what it has passed. */
static void
move_idle(struct consumer *consumer, struct consumer_lane *lane)
{
	struct letter *letter;
	struct fault fault;

	consumer_shift(consumer, lane);
	if (lane->first != NULL || lane->reached <= lane->place ||
	    (lane->reached - lane->place < IDLE_OFFSETS && consumer_now_ns(consumer) - lane->moved_ns < IDLE_NS))
		return;
	letter = consumer_spare(consumer);
	if (letter == NULL)
		return;
	letter->purpose = LETTER_PLACE;
	letter->offset = lane->place;
	letter->after = lane->reached;
	add_letter(consumer, lane, letter);
	if (!consumer_give(consumer, letter, &fault))
		consumer_stall(consumer, lane, &fault);
}

/* The place is moved to the oldest message that the source has: from there the lane begins. */
static void
move_to_oldest(struct consumer *consumer, struct consumer_lane *lane)
{
	struct letter *letter = consumer_spare(consumer);
	struct fault fault;

	lane->skips = false;
	if (letter == NULL)
		return;
	log_line(LOG_WARN, "a lane goes on by order where its topic begins now", log_text("consumer", consumer->whole),
		 log_text("lane", lane->key), log_int("place", (int64_t)lane->oldest),
		 log_int("was", (int64_t)lane->place));
	letter->purpose = LETTER_PLACE;
	letter->offset = lane->place;
	letter->after = lane->oldest;
	add_letter(consumer, lane, letter);
	if (!consumer_give(consumer, letter, &fault))
		consumer_stall(consumer, lane, &fault);
}

/* What halts or holds it is passed. Gives whether anything did. */
static bool
skip(struct consumer *consumer, struct consumer_lane *lane)
{
	struct letter *letter = lane->first;

	if (!lane->halted && consumer_held(lane) == NULL)
		return false;
	while (letter != NULL && letter->state != LETTER_NEW)
		letter = letter->next;
	if (lane->halted && lane->gone)
		lane->skips = true;
	else if (letter != NULL)
		*(lane->halted ? &letter->passes : &letter->unheld) = true;
	lane->pause_us = 0;
	consumer_go_on(consumer, lane);
	return true;
}

uint64_t
consumer_skip(struct consumer *consumer)
{
	uint64_t count = 0;

	for (struct consumer_lane *lane = consumer->lanes; lane != NULL; lane = lane->next)
		count += skip(consumer, lane);
	return count;
}

/* ---- lanes ---- */

static struct consumer_lane *
find_lane(struct consumer *consumer, unsigned source, const struct source_lane *wanted)
{
	struct consumer_lane *lane = consumer->lanes;

	while (lane != NULL && !(lane->source == source && lane->lane.partition == wanted->partition &&
				 slice_equal(lane->lane.topic, wanted->topic)))
		lane = lane->next;
	return lane;
}

static void
free_lane(struct consumer *consumer, struct consumer_lane *lane)
{
	struct consumer_lane **place = &consumer->lanes;

	drop_letters(consumer, lane, UINT64_MAX);
	while (*place != lane)
		place = &(*place)->next;
	*place = lane->next;
	free(lane);
}

void
consumer_drop_lanes(struct consumer *consumer)
{
	while (consumer->lanes != NULL)
		free_lane(consumer, consumer->lanes);
	while (consumer->spare != NULL) {
		struct letter *letter = consumer->spare;

		consumer->spare = letter->next;
		arena_fini(&letter->reaction.arena);
		free(letter);
	}
}

static int
assign(struct consumer *consumer, unsigned source, const struct source_lane *wanted, struct fault *fault)
{
	struct consumer_lane *lane = find_lane(consumer, source, wanted);

	if (wanted->topic.size > STORE_TOPIC_MAX)
		return fault_set(fault, FAULT_LIMIT, "topic_too_long", "a topic's name has %zu bytes",
				 wanted->topic.size);
	if (lane == NULL) {
		lane = calloc(1, sizeof(*lane));
		if (lane == NULL)
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a lane");
		lane->source = source;
		snprintf(lane->key, sizeof(lane->key), "%.*s/%d", SLICE_ARG(wanted->topic), (int)wanted->partition);
		lane->lane.topic = slice_from(lane->key, wanted->topic.size);
		lane->lane.partition = wanted->partition;
		lane->width = consumer->options.window;
		lane->next = consumer->lanes;
		consumer->lanes = lane;
	}
	lane->revoked = lane->paused = false;
	consumer_go_on(consumer, lane);
	lane->pause_us = 0;
	lane->starting = true;
	consumer->parked_unsure = true; /* whoever had it may have parked keys */
	if (lane->flying == 0)
		start(consumer, lane);
	return 0;
}

/* It may be assigned again at once, so nothing waits for what is in flight: the comparison decides about that. */
static void
revoke(struct consumer *consumer, struct consumer_lane *lane)
{
	lane->revoked = true;
	lane->starting = false;
	lane->broken = lane->flying != 0;
	if (lane->flying == 0)
		free_lane(consumer, lane);
}

/* Takes one thing that a source told; `letter` has its memory. true: the letter went into a lane. */
static bool
heard(struct consumer *consumer, unsigned source, struct source_event *event, struct letter *letter,
      struct fault *fault)
{
	struct consumer_lane *lane = find_lane(consumer, source, &event->lane);

	if (event->what == SOURCE_ASSIGNED) {
		if (assign(consumer, source, &event->lane, fault) != 0)
			log_fault(LOG_ERROR, "a lane cannot be taken", fault);
		return false;
	}
	if (lane == NULL || lane->revoked)
		return false;
	switch (event->what) {
	case SOURCE_REVOKED:
		revoke(consumer, lane);
		break;
	case SOURCE_PASSED:
		lane->passed = event->offset;
		break;
	case SOURCE_GONE:
		lane->gone = true;
		lane->oldest = event->offset;
		consumer_halt(consumer, lane, fault);
		break;
	case SOURCE_MESSAGE:
		letter->offset = event->offset;
		letter->after = event->offset + 1;
		letter->entry = event->entry;
		letter->message = event->message;
		letter->bytes = event->entry != NULL ? event->entry->data.size : event->message.value.size;
		add_letter(consumer, lane, letter);
		return true;
	case SOURCE_NOTHING:
	case SOURCE_ASSIGNED:
		break;
	}
	return false;
}

/* false: the source has nothing more for now. */
static bool
pull_one(struct consumer *consumer, unsigned number)
{
	struct consumer_source *source = &consumer->sources[number];
	struct letter *letter = consumer_spare(consumer);
	struct source_event event;
	struct fault fault;
	bool more;

	if (letter == NULL)
		return false;
	fault_clear(&fault);
	if (source_next(source->source, &letter->reaction.arena, &event, &fault) != 0) {
		if (source->pause_us == 0)
			log_fault(LOG_WARN, "a consumer cannot hear", &fault);
		source->fault = fault;
		/* It may be lost for good, as a member that another one of its name has put out. */
		if (source->pause_us >= consumer->options.retry_last_us / 4 * 3) {
			log_line(LOG_WARN, "a consumer that has not heard for long begins anew",
				 log_text("consumer", consumer->whole), log_text("code", fault.code));
			consumer->stale = true;
		}
		source->pause_us = consumer_pause(consumer, source->pause_us);
		source->again_ns = consumer_now_ns(consumer) + source->pause_us * 1000;
		consumer_put_away(consumer, letter);
		return false;
	}
	source->pause_us = 0;
	more = event.what != SOURCE_NOTHING;
	if (!heard(consumer, number, &event, letter, &fault))
		consumer_put_away(consumer, letter);
	return more;
}

bool
consumer_has_room(const struct consumer *consumer)
{
	return consumer->queued < 2 * consumer->options.window && consumer->queued_bytes < QUEUED_BYTES;
}

int64_t
consumer_pull(struct consumer *consumer)
{
	int64_t now_ns = consumer_now_ns(consumer), wait_ns = INT64_MAX;

	consumer->more = false;
	for (unsigned i = 0; i < countof(consumer->sources); i++) {
		struct consumer_source *source = &consumer->sources[i];

		if (source->source == NULL)
			continue;
		while ((source->pause_us == 0 || source->again_ns <= now_ns) && consumer_has_room(consumer) &&
		       pull_one(consumer, i))
			;
		consumer->more = consumer->more || !consumer_has_room(consumer);
		if (source->pause_us != 0 && source->again_ns - now_ns < wait_ns)
			wait_ns = source->again_ns > now_ns ? source->again_ns - now_ns : 0;
	}
	return wait_ns;
}

void
consumer_tend(struct consumer *consumer)
{
	int64_t now_ns = consumer_now_ns(consumer);
	struct consumer_lane *next;

	for (struct consumer_lane *lane = consumer->lanes; lane != NULL; lane = next) {
		next = lane->next;
		if (lane->again_ns != 0 && lane->again_ns <= now_ns && !lane->halted)
			consumer_go_on(consumer, lane);
		if (lane->flying == 0 && lane->revoked) {
			free_lane(consumer, lane);
			continue;
		}
		if (lane->flying != 0 || !goes_on(lane))
			continue;
		if (lane->broken)
			mend(consumer, lane);
		/* What it had before its place went is decided first: nobody else has it. */
		if (lane->gone && lane->first == NULL) {
			lane->starting = true;
			if (lane->skips)
				move_to_oldest(consumer, lane);
		}
		if (lane->flying != 0)
			continue;
		if (lane->starting && goes_on(lane))
			start(consumer, lane);
		if (!lane->broken && !lane->starting)
			move_idle(consumer, lane);
	}
}

int64_t
consumer_patience(const struct consumer *consumer)
{
	int64_t now_ns = consumer_now_ns(consumer), wait_ns = INT64_MAX;

	for (const struct consumer_lane *lane = consumer->lanes; lane != NULL; lane = lane->next) {
		if (lane->again_ns != 0 && !lane->halted && lane->again_ns - now_ns < wait_ns)
			wait_ns = lane->again_ns > now_ns ? lane->again_ns - now_ns : 0;
		if (lane->flying == 0 && goes_on(lane) &&
		    (lane->broken || lane->starting || (lane->gone && lane->first == NULL)))
			wait_ns = 0;
		if (lane->first == NULL && lane->reached > lane->place && wait_ns > IDLE_NS)
			wait_ns = IDLE_NS;
	}
	return wait_ns;
}
