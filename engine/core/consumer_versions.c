/* SPDX-License-Identifier: MIT */
/*
 * Versions of foreign streams (ce_streamversion), where a reactor asks for them. The last one that was heard of each
 * stream is a record that moves, by comparison, in the append of its message; also when nothing comes of it, and when
 * it becomes a dead letter, for it was heard then. What is in flight counts: a later append compares with what an
 * earlier one is about to write, so that they take effect in order or not at all, also when they are of two lanes.
 *
 * The first that is heard of a stream is taken as it is. An older one, or the same again, has no effect. One that comes
 * too early waits with its lane when the reactor says "hold", until those before it came by another lane, or the time
 * is up; then, as with "skip", it is taken, and the log tells what is missing.
 */
#include <stdio.h>

#include "base/log.h"
#include "core/consumer_inside.h"

#define HOLD_US   ((int64_t)30 * 1000 * 1000)
#define HELD_CODE "version_missing"

/* The one that was given in last, when a letter of the stream is in flight. */
static const struct letter *
in_flight(const struct consumer *consumer, const struct parked_key *stream)
{
	const struct letter *last = NULL;

	for (const struct consumer_lane *lane = consumer->lanes; lane != NULL; lane = lane->next)
		for (const struct letter *letter = lane->first; letter != NULL; letter = letter->next)
			if (letter->state == LETTER_FLYING && letter->moves_version &&
			    memcmp(&letter->stream, stream, sizeof(*stream)) == 0 &&
			    (last == NULL || letter->heard.stream_version > last->heard.stream_version))
				last = letter;
	return last;
}

/* The last version that was heard, or is about to be. */
static int
read_last(struct consumer *consumer, struct letter *letter, struct heard_version *last, bool *there,
	  struct fault *fault)
{
	const struct letter *flying = in_flight(consumer, &letter->stream);
	struct arena *pages = &consumer->bench.pages;
	char text[PARKED_TEXT_SIZE];
	struct slice value;

	*there = flying != NULL;
	*last = flying != NULL ? flying->version : (struct heard_version){ .number = 0 };
	if (flying != NULL)
		return 0;
	parked_key_text(&letter->stream, text);
	arena_clear(pages);
	if (store_read_record(consumer->bench.reader, consumer->heard_space, slice_text(text), pages, &value, there,
			      fault) != 0)
		return -1;
	if (!*there || heard_version_parse(value, last))
		return 0;
	return fault_set(fault, FAULT_CORRUPT, "bad_version", "%s: \"%.*s\" is no version of a stream", consumer->whole,
			 SLICE_ARG(value));
}

static void
say_missing(const struct consumer *consumer, const struct letter *letter, uint64_t last)
{
	log_line(LOG_WARN, "versions of a stream are missing", log_text("consumer", consumer->whole),
		 log_slice("source", letter->heard.source), log_slice("subject", letter->heard.subject),
		 log_int("version", (int64_t)letter->heard.stream_version), log_int("last", (int64_t)last),
		 log_slice("id", letter->heard.id));
}

/* One that comes too early. true: it is taken all the same. */
static bool
is_taken_early(struct consumer *consumer, struct letter *letter, uint64_t last)
{
	int64_t waited_us = clock_wall_us(consumer->options.clock) - letter->first_us;

	if (consumer->rule->versions == REACT_VERSIONS_HELD && waited_us < HOLD_US && !letter->unheld) {
		fault_set(&letter->fault, FAULT_BUSY, HELD_CODE,
			  "%s: version %llu of %.*s %.*s is here, and the last one was %llu", letter->lane->key,
			  (unsigned long long)letter->heard.stream_version, SLICE_ARG(letter->heard.source),
			  SLICE_ARG(letter->heard.subject), (unsigned long long)last);
		consumer_stall(consumer, letter->lane, &letter->fault);
		return false;
	}
	say_missing(consumer, letter, last);
	return true;
}

bool
consumer_versions(struct consumer *consumer, struct letter *letter)
{
	const struct react_message *heard = &letter->heard;
	struct heard_version last;
	bool there;

	if (consumer->rule->versions == REACT_VERSIONS_IGNORED || letter->entry != NULL || heard->stream_version == 0)
		return true;
	letter->stream = parked_key_make(heard->source, heard->subject);
	if (read_last(consumer, letter, &last, &there, &letter->fault) != 0) {
		consumer_stall(consumer, letter->lane, &letter->fault);
		return false;
	}
	if (there && heard->stream_version <= last.number) {
		letter->purpose = LETTER_OLDER;
		return true;
	}
	if (there && heard->stream_version != last.number + 1 && !is_taken_early(consumer, letter, last.number))
		return false;
	letter->moves_version = true;
	letter->version_there = there;
	letter->version_before = last;
	heard_version_make(consumer, heard->stream_version, &letter->version);
	return true;
}

const struct letter *
consumer_held(const struct consumer_lane *lane)
{
	const struct letter *letter = lane->first;

	if (lane->halted || lane->again_ns == 0 || strcmp(lane->fault.code, HELD_CODE) != 0)
		return NULL;
	while (letter != NULL && letter->state != LETTER_NEW)
		letter = letter->next;
	return letter;
}

int
consumer_add_version(struct consumer *consumer, struct letter *letter, struct fault *fault)
{
	struct arena *arena = &letter->reaction.arena;
	struct record_write record = { .rule = letter->version_there ? RECORD_EQUALS : RECORD_ABSENT,
				       .space = consumer->heard_space };
	char text[PARKED_TEXT_SIZE];

	if (!letter->moves_version)
		return 0;
	parked_key_text(&letter->stream, text);
	record.key = arena_copy(arena, slice_text(text));
	record.value = slice_text(letter->version.text);
	if (letter->version_there)
		record.before = slice_text(letter->version_before.text);
	if (record.key.data != NULL && reaction_add(&letter->reaction, record))
		return 0;
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a version");
}
