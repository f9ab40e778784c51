/* SPDX-License-Identifier: MIT */
/*
 * A dead letter is written in the append that moves the lane's place past its message. When its key is parked, later
 * messages of that key become letters behind it, so that their order is kept; a record counts how many wait.
 *
 * On their way back letters go through the handler one after the other, in the order of their places, each in an append
 * that removes it. One that fails again stays, with what it failed by, and keeps those of its key behind it. When the
 * last of a key has gone, the next message of that key is taken as usual.
 */
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "core/consumer_inside.h"

#define PAGE        64
#define PAGE_DEAD   8 /* each may be as large as a record */
#define LETTER_MOST ((size_t)STORE_VALUE_MAX)

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a dead letter");
}

/* ---- what the store has ---- */

int
consumer_count_dead(struct consumer *consumer, struct fault *fault)
{
	struct arena *pages = &consumer->bench.pages;
	struct slice after = SLICE_NONE;
	struct record *records;
	size_t count;

	consumer->dead = 0;
	do {
		char last[STORE_KEY_MAX];

		if (after.size != 0) {
			memcpy(last, after.data, after.size);
			after.data = last;
		}
		arena_clear(pages);
		if (store_list_records(consumer->bench.reader, consumer->dead_space, after, PAGE_DEAD, pages, &records,
				       &count, fault) != 0)
			return -1;
		for (size_t i = 0; i < count; i++) /* those with '#' are of timers */
			consumer->dead += memchr(records[i].key.data, '#', records[i].key.size) == NULL;
		if (count != 0)
			after = records[count - 1].key;
	} while (count == PAGE_DEAD);
	return 0;
}

int
consumer_read_parked(struct consumer *consumer, struct fault *fault)
{
	struct arena *pages = &consumer->bench.pages;
	char last[STORE_KEY_MAX];
	struct slice after = SLICE_NONE;
	struct record *records;
	size_t count;

	parked_empty(&consumer->parked);
	do {
		arena_clear(pages);
		if (store_list_records(consumer->bench.reader, consumer->parked_space, after, PAGE, pages, &records,
				       &count, fault) != 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			struct parked_key key;
			uint64_t letters;

			if (!parked_key_parse(records[i].key, &key) || !slice_to_u64(records[i].value, &letters))
				return fault_set(fault, FAULT_CORRUPT, "bad_parked", "%s: \"%.*s\" is no parked key",
						 consumer->whole, SLICE_ARG(records[i].key));
			if (!parked_put(&consumer->parked, &key, letters))
				return no_memory(fault);
		}
		if (count != 0) {
			after = slice_from(last, records[count - 1].key.size);
			memcpy(last, records[count - 1].key.data, after.size);
		}
	} while (count == PAGE);
	consumer->parked_unsure = false;
	return 0;
}

/* ---- into it ---- */

/* Writes how many letters of the key there are: `now`, where `before` were. */
static int
add_count(struct consumer *consumer, struct letter *letter, uint64_t before, uint64_t now, struct fault *fault)
{
	struct arena *arena = &letter->reaction.arena;
	char text[PARKED_TEXT_SIZE];
	struct record_write record = { .space = consumer->parked_space };

	parked_key_text(&letter->parked, text);
	record.key = arena_copy(arena, slice_text(text));
	record.value = arena_format(arena, "%llu", (unsigned long long)now);
	record.before = arena_format(arena, "%llu", (unsigned long long)before);
	record.rule = before == 0 ? RECORD_ABSENT : now == 0 ? RECORD_REMOVE_EQUALS : RECORD_EQUALS;
	if (record.key.data == NULL || record.value.data == NULL || record.before.data == NULL)
		return no_memory(fault);
	if (before == 0)
		record.before = SLICE_NONE;
	if (now == 0)
		record.value = SLICE_NONE;
	/* A key stays parked until its last letter's append is done: what comes meanwhile must not pass it. */
	if (!reaction_add(&letter->reaction, record) ||
	    !parked_put(&consumer->parked, &letter->parked, now != 0 ? now : before))
		return no_memory(fault);
	letter->moves_count = true;
	letter->ends_key = now == 0;
	return 0;
}

static struct dead_letter
describe(const struct consumer *consumer, const struct letter *letter, const char *parked)
{
	bool behind = letter->purpose == LETTER_BEHIND;

	return (struct dead_letter){
		.consumer = slice_text(consumer->whole),
		.topic = letter->message.topic,
		.partition = letter->lane != NULL ? letter->lane->lane.partition : letter->partition,
		.offset = letter->offset,
		.from_log = letter->entry != NULL,
		.type = letter->heard.type,
		.id = letter->heard.id,
		.source = letter->heard.source,
		.key = letter->heard.key.size != 0 ? letter->heard.key : letter->message.key,
		.value = letter->message.value,
		.tombstone = letter->message.tombstone,
		.headers = letter->message.headers,
		.header_count = letter->message.header_count,
		.time_us = letter->message.time_us,
		.parked = slice_text(parked),
		.attempts = behind ? 0 : letter->attempts,
		.class = slice_text(behind ? "parked" : fault_class_name(letter->fault.class)),
		.code = slice_text(behind ? "key_parked" : letter->fault.code),
		.text = slice_text(behind ? "an earlier message of its key is a dead letter" : letter->fault.text),
		.first_us = letter->first_us,
		.last_us = clock_wall_us(consumer->options.clock),
	};
}

/* The value as JSON; a text where it is none, with the letter around it where it is not even that. */
static void
write_value(const struct dead_letter *dead, struct buf *out)
{
	struct json_value value;

	if (dead->tombstone)
		buf_text(out, "null");
	else if (json_check(dead->value, &value, NULL) == 0)
		buf_add(out, dead->value);
	else if (json_utf8(dead->value))
		json_quote(out, dead->value);
	else
		dead_write(dead, out);
}

/*
 * Where the bus leaves the process, the letter goes to a topic too. It must be one that can be recorded and sent,
 * whatever the message was: else a stranger could stop the lane, or all that is sent. What does not fit stays here.
 */
static int
add_message(const struct consumer *consumer, struct letter *letter, const struct dead_letter *dead, struct fault *fault)
{
	struct arena *arena = &letter->reaction.arena;
	struct new_entry *entry = arena_zero(arena, 1, sizeof(*entry));
	struct decided_stream *stream = arena_zero(arena, 1, sizeof(*stream));
	struct slice name = slice_text(consumer->whole);
	struct buf out;
	int result = -1;

	buf_init(&out, LETTER_MOST);
	if (entry == NULL || stream == NULL)
		goto out;
	*entry = (struct new_entry){ .kind = ENTRY_MESSAGE, .schema_version = 1 };
	if (dead->key.size <= STORE_KEY_MAX && json_utf8(dead->key))
		entry->key = dead->key;
	if (name.size > ENTRY_TYPE_MAX - 5)
		name.size = ENTRY_TYPE_MAX - 5;
	entry->type = arena_format(arena, "%.*s.dead", SLICE_ARG(name));
	entry->topic = arena_format(arena, "%s.dlq", consumer->whole);
	stream->name = arena_format(arena, "%s/dead-letters", consumer->whole);
	dead_headers(dead, &out);
	entry->headers = arena_copy(arena, buf_slice(&out));
	buf_clear(&out);
	write_value(dead, &out);
	if (out.failed || out.size > ENTRY_DATA_MAX) {
		buf_clear(&out);
		buf_format(&out, "{\"left_out\":%zu}", dead->value.size);
	}
	entry->data = arena_copy(arena, buf_slice(&out));
	if (out.failed || entry->type.data == NULL || entry->topic.data == NULL || stream->name.data == NULL ||
	    entry->headers.data == NULL || entry->data.data == NULL)
		goto out;
	letter->reaction.decided =
		(struct decided){ .streams = stream, .stream_count = 1, .entries = entry, .entry_count = 1 };
	result = 0;
out:
	buf_fini(&out);
	return result == 0 ? 0 : no_memory(fault);
}

int
consumer_bury(struct consumer *consumer, struct letter *letter, struct fault *fault)
{
	struct arena *arena = &letter->reaction.arena;
	bool again = letter->purpose == LETTER_REWRITE;
	bool parks = !again && letter->has_key && consumer->rule->failure == REACT_PARK;
	struct record_write record = { .rule = again ? RECORD_EQUALS : RECORD_PUT, .space = consumer->dead_space };
	char parked[PARKED_TEXT_SIZE] = "";
	struct dead_letter dead;
	struct buf out;

	if (parks || letter->purpose == LETTER_BEHIND || (again && letter->dead_parked))
		parked_key_text(&letter->parked, parked);
	dead = describe(consumer, letter, parked);
	buf_init(&out, LETTER_MOST);
	dead_write(&dead, &out);
	record.value = out.failed ? SLICE_NONE : arena_copy(arena, buf_slice(&out));
	buf_fini(&out);
	record.key = again ? letter->dead_key
			   : arena_format(arena, "%s/%020llu", letter->lane->key, (unsigned long long)letter->offset);
	record.before = letter->dead_value;
	if (record.value.data == NULL || record.key.data == NULL || !reaction_add(&letter->reaction, record))
		return no_memory(fault);
	if (again)
		return 0;
	if (parked[0] != '\0') {
		uint64_t before = parked_count(&consumer->parked, &letter->parked);

		if (add_count(consumer, letter, before, before + 1, fault) != 0)
			return -1;
	}
	return consumer->options.foreign.open != NULL ? add_message(consumer, letter, &dead, fault) : 0;
}

int
consumer_unbury(struct consumer *consumer, struct letter *letter, struct fault *fault)
{
	struct record_write record = { .rule = RECORD_REMOVE_EQUALS,
				       .space = consumer->dead_space,
				       .key = letter->dead_key,
				       .before = letter->dead_value };
	uint64_t before = parked_count(&consumer->parked, &letter->parked);

	if (!reaction_add(&letter->reaction, record))
		return no_memory(fault);
	if (!letter->dead_parked)
		return 0;
	if (before == 0)
		return fault_set(fault, FAULT_CORRUPT, "bad_parked", "%s: a letter's key is not parked",
				 consumer->whole);
	return add_count(consumer, letter, before, before - 1, fault);
}
