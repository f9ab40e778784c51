/* SPDX-License-Identifier: MIT */
/*
 * From a letter to its append. The id of a message is its inbox key: a hash of consumer, source and id. It is also the
 * seed of chance, so that a message that is decided again, after a lost comparison or a crash, decides the same.
 *
 * What may pass by itself makes the lane wait. What its handler cannot take is tried `attempts` times and then becomes
 * a dead letter, or halts its lane, as the reactor's author chose.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/probe.h"
#include "core/consumer_inside.h"

#define ATTEMPTS 3

static bool
is_own_event(const struct consumer *consumer, const struct recorded_entry *entry)
{
	struct slice domain = consumer->options.domain->name;

	return entry != NULL && entry->kind == ENTRY_EVENT && slice_starts_with(entry->stream, domain) &&
	       entry->stream.data[domain.size] == '.';
}

static bool
is_wanted_topic(const struct consumer *consumer, struct slice topic)
{
	for (size_t i = 0; topic.size != 0 && i < consumer->rule->topic_count; i++)
		if (slice_equal(consumer->rule->topics[i], topic))
			return true;
	return false;
}

/* What goes into the provenance of its entries has the store's bound. */
static int
check_ids(const struct letter *letter, const char *place, struct fault *fault)
{
	const struct react_message *heard = &letter->heard;
	bool id = heard->id.size > STORE_KEY_MAX;

	if (!id && heard->correlation_id.size <= STORE_KEY_MAX)
		return 0;
	return fault_set(fault, FAULT_INPUT, "bad_cloudevent", "%s: attribute %s has %zu bytes; at most %d are taken",
			 place, id ? "id" : "correlationid", id ? heard->id.size : heard->correlation_id.size,
			 STORE_KEY_MAX);
}

/* The same when it comes back as a dead letter: it may be the message's id, which the inbox remembers. */
static void
name_place(const struct letter *letter, char *place, size_t size)
{
	unsigned long long offset = letter->offset;

	const struct consumer_lane *lane = letter->lane;

	if (lane == NULL) {
		snprintf(place, size, "%.*s/%d/%llu", SLICE_ARG(letter->message.topic), (int)letter->partition, offset);
		return;
	}
	size_t at = strlen(lane->key);
	must(at + 1 + 20 < size);
	memcpy(place, lane->key, at);
	place[at++] = '/';
	at += slice_put_u64(place + at, letter->offset);
	place[at] = '\0';
}

/* That of its record: it is known, and has its order, though the rest cannot be taken. */
static void
find_key(struct letter *letter)
{
	if (letter->lane == NULL || letter->heard.key.size == 0)
		return;
	letter->has_key = true;
	letter->parked = parked_key_make(slice_text(letter->lane->key), letter->heard.key);
}

int
consumer_prepare(struct consumer *consumer, struct letter *letter, struct fault *fault)
{
	struct arena *arena = &letter->reaction.arena;
	char place[LANE_KEY_SIZE + 24];
	int result = 0;

	if (letter->prepared)
		return 0;
	name_place(letter, place, sizeof(place));
	if (letter->entry != NULL)
		cloudevent_of_entry(letter->entry, arena, &letter->heard);
	else
		result = cloudevent_decode(&letter->message, place, arena, &letter->heard, fault);
	find_key(letter);
	if (result != 0)
		return -1;
	if (letter->heard.type.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a message");
	if (check_ids(letter, place, fault) != 0)
		return -1;
	/*
	 * The log gives each entry once, at one place: there is nothing that could come again. Nor does what has no id
	 * but its place: where a topic is made anew another message lies there.
	 */
	letter->has_inbox =
		letter->entry == NULL && consumer->rule->inbox && !slice_equal(letter->heard.id, slice_text(place));
	letter->id = command_id_make(slice_text(consumer->whole), letter->heard.source, letter->heard.id);
	letter->reaction.mark = arena_mark(arena);
	letter->prepared = true;
	return 0;
}

/* Is there a handler for events of its aggregate? What an older kind of event becomes, only its upcasters know. */
static bool
hears_event(const struct consumer *consumer, const struct recorded_entry *entry)
{
	const struct script_reactor *rule = consumer->rule;
	struct stream_name stream;

	if (rule->event_count == 0 || !is_own_event(consumer, entry) || stream_parse(entry->stream, &stream, NULL) != 0)
		return false;
	for (size_t i = 0; i < rule->event_count; i++)
		if (rule->events[i].size > stream.aggregate.size &&
		    slice_starts_with(rule->events[i], stream.aggregate) &&
		    rule->events[i].data[stream.aggregate.size] == '.')
			return true;
	return false;
}

enum reaction_answer
consumer_ask(struct consumer *consumer, struct bench *bench, struct letter *letter, struct fault *fault)
{
	const struct script_reactor *rule = consumer->rule;
	struct react_request request = { .reactor = consumer->number,
					 .message = &letter->heard,
					 .context = { .now_us = clock_wall_us(consumer->options.clock),
						      .caller = slice_text(consumer->whole),
						      .correlation_id = letter->heard.correlation_id } };
	enum reaction_answer answer = REACTION_NOTHING;

	memcpy(request.context.seed, letter->id.bytes, sizeof(request.context.seed));
	reaction_clear(&letter->reaction);
	letter->reaction.chain = letter->lane; /* by its place */
	letter->handled = false;
	if (hears_event(consumer, letter->entry)) {
		request.cause = REACT_EVENT;
		request.event = letter->entry;
		answer = reaction_decide(bench, &letter->reaction, &request, fault);
	}
	if (answer != REACTION_NOTHING || !is_wanted_topic(consumer, letter->message.topic) ||
	    script_message_heard(rule->messages, rule->message_count, letter->heard.type) < 0)
		return answer;
	request.cause = REACT_MESSAGE;
	request.event = NULL;
	letter->handled = true;
	return reaction_decide(bench, &letter->reaction, &request, fault);
}

static void
write_place(const struct consumer *consumer, struct letter *letter)
{
	size_t at = slice_put_u64(letter->place, letter->after);

	letter->place[at++] = ' ';
	memcpy(letter->place + at, consumer->mark, strlen(consumer->mark) + 1);
}

/* The lane's place, moved from what the append before this one left. */
static bool
add_place(struct consumer *consumer, struct letter *letter)
{
	struct consumer_lane *lane = letter->lane;
	struct record_write record = { .rule = lane->place_there ? RECORD_EQUALS : RECORD_ABSENT,
				       .space = consumer->place_space,
				       .key = slice_text(lane->key) };

	memcpy(letter->before, lane->place_text, sizeof(letter->before));
	write_place(consumer, letter);
	record.before = lane->place_there ? slice_text(letter->before) : SLICE_NONE;
	record.value = slice_text(letter->place);
	return reaction_add(&letter->reaction, record);
}

static struct provenance
provenance_of(const struct consumer *consumer, const struct letter *letter)
{
	struct provenance provenance = { .correlation_id = letter->heard.correlation_id,
					 .causation_id = letter->heard.id,
					 .traceparent = letter->heard.traceparent,
					 .actor = slice_text(consumer->whole) };

	/* Of a dead letter whose fault this is: it has them in full. */
	if (provenance.correlation_id.size > STORE_KEY_MAX)
		provenance.correlation_id = SLICE_NONE;
	if (provenance.causation_id.size > STORE_KEY_MAX)
		provenance.causation_id = SLICE_NONE;
	return provenance;
}

static int
add_records(struct consumer *consumer, struct letter *letter, struct fault *fault)
{
	if (PROBE("consumer.before_commit"))
		return fault_set(fault, FAULT_BUSY, "probe", "a probe let this step fail");
	if (letter->lane != NULL && !add_place(consumer, letter))
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a place");
	if (consumer_add_version(consumer, letter, fault) != 0)
		return -1;
	switch (letter->purpose) {
	case LETTER_EFFECT:
	case LETTER_PLACE:
	case LETTER_OLDER:
	case LETTER_NOTED:
		return 0;
	case LETTER_DEAD:
	case LETTER_BEHIND:
	case LETTER_REWRITE:
		return consumer_bury(consumer, letter, fault);
	case LETTER_AGAIN:
	case LETTER_DROP:
		return consumer_unbury(consumer, letter, fault);
	}
	return 0;
}

bool
consumer_give(struct consumer *consumer, struct letter *letter, struct fault *fault)
{
	struct provenance provenance = provenance_of(consumer, letter);
	struct submission *submission = &letter->reaction.submission;

	if (add_records(consumer, letter, fault) != 0 ||
	    reaction_append(&consumer->bench, &letter->reaction, &provenance, fault) != 0) {
		reaction_discard(&consumer->bench, &letter->reaction);
		return false;
	}
	if ((letter->purpose == LETTER_EFFECT || letter->purpose == LETTER_AGAIN) && letter->has_inbox) {
		submission->append.command_id = &letter->id;
		submission->append.fingerprint = consumer->fingerprint;
	}
	letter->state = LETTER_FLYING;
	if (letter->lane != NULL) {
		letter->lane->place = letter->after;
		memcpy(letter->lane->place_text, letter->place, sizeof(letter->place));
		letter->lane->place_there = true;
		letter->lane->flying++;
	}
	consumer->flying++;
	submission->home = &consumer->home;
	submission->back = &letter->mail;
	consumer->options.give(consumer->options.self, submission);
	(void)PROBE("consumer.after_give");
	return true;
}

/* It cannot be taken, today or any day. true: what is done about that is on its way. */
static bool
give_up(struct consumer *consumer, struct letter *letter)
{
	if (consumer->rule->failure == REACT_HALT && !letter->passes) {
		consumer_halt(consumer, letter->lane, &letter->fault);
		return false;
	}
	letter->purpose = LETTER_DEAD;
	return true;
}

/* What its handler did about it failed. true: at once again. */
static bool
fail(struct consumer *consumer, struct letter *letter)
{
	struct script_trouble trouble = { 0 };
	struct input_trouble input = { 0 };
	unsigned most = consumer->rule->attempts != 0 ? consumer->rule->attempts : ATTEMPTS;

	if (reaction_passes(&letter->fault)) {
		consumer_stall(consumer, letter->lane, &letter->fault);
		return false;
	}
	if (letter->fault.class == FAULT_SCRIPT || letter->fault.class == FAULT_INPUT) {
		script_trouble(consumer->bench.seat->machine, &trouble, &input);
		if (trouble.file.size != 0 && strstr(letter->fault.text, ".lua:") == NULL)
			fault_prefix(&letter->fault, "%.*s:%d", SLICE_ARG(trouble.file), trouble.line);
	}
	if (letter->attempts < most)
		return true;
	return give_up(consumer, letter);
}

/* One call of its handler. true: `purpose` says what is to be given in. */
static bool
decide(struct consumer *consumer, struct letter *letter)
{
	while (letter->purpose == LETTER_EFFECT) {
		enum reaction_answer answer;

		answer = consumer_ask(consumer, &consumer->bench, letter, &letter->fault);
		switch (answer) {
		case REACTION_DECIDED:
			return true;
		case REACTION_NOTHING:
			if (letter->moves_version) {
				letter->purpose = LETTER_NOTED;
				return true;
			}
			letter->state = LETTER_DONE;
			consumer_say(consumer, letter, "nothing");
			return false;
		case REACTION_WAITS:
			consumer->waits = true;
			return false;
		case REACTION_FAILED:
			letter->attempts++;
			if (!fail(consumer, letter))
				return false;
			break;
		}
	}
	return true;
}

bool
consumer_take(struct consumer *consumer, struct letter *letter)
{
	struct consumer_lane *lane = letter->lane;

	if (letter->first_us == 0)
		letter->first_us = clock_wall_us(consumer->options.clock);
	reaction_clear(&letter->reaction);
	if (letter->purpose == LETTER_BEHIND || letter->purpose == LETTER_NOTED || letter->purpose == LETTER_OLDER)
		letter->purpose = LETTER_EFFECT; /* its key may be free again, or what was in flight did not happen */
	letter->moves_version = false;
	if (letter->purpose == LETTER_EFFECT && consumer_prepare(consumer, letter, &letter->fault) != 0) {
		letter->attempts++;
		if (reaction_passes(&letter->fault)) {
			consumer_stall(consumer, lane, &letter->fault);
			return false;
		}
		if (!give_up(consumer, letter))
			return false;
	}
	if (letter->purpose == LETTER_EFFECT && !consumer_versions(consumer, letter))
		return false;
	if (letter->purpose == LETTER_EFFECT && letter->has_key &&
	    parked_count(&consumer->parked, &letter->parked) != 0)
		letter->purpose = LETTER_BEHIND;
	if (!decide(consumer, letter))
		return letter->state == LETTER_DONE;
	if (consumer_give(consumer, letter, &letter->fault))
		return true;
	consumer_stall(consumer, lane, &letter->fault);
	return false;
}

static bool
may_decide(const struct consumer *consumer, const struct consumer_lane *lane)
{
	return !lane->halted && lane->again_ns == 0 && !lane->broken && !lane->starting && !lane->revoked &&
	       !consumer->parked_unsure && lane->flying < lane->width && consumer->flying < consumer->options.window;
}

/* What waits for the streams of other lanes goes first the next time. */
static void
move_up(struct consumer *consumer, struct consumer_lane *lane)
{
	struct consumer_lane **place = &consumer->lanes;

	while (*place != lane)
		place = &(*place)->next;
	*place = lane->next;
	lane->next = consumer->lanes;
	consumer->lanes = lane;
}

int64_t
consumer_decide(struct consumer *consumer)
{
	struct consumer_lane *waiting = NULL;

	for (struct consumer_lane *lane = consumer->lanes; lane != NULL; lane = lane->next) {
		struct letter *letter = lane->first;

		while (letter != NULL && letter->state != LETTER_NEW)
			letter = letter->next;
		while (letter != NULL && may_decide(consumer, lane)) {
			struct letter *next = letter->next;

			if (!consumer_take(consumer, letter)) {
				waiting = waiting == NULL && consumer->waits && lane->again_ns == 0 ? lane : waiting;
				break;
			}
			letter = next;
		}
		consumer_shift(consumer, lane);
	}
	if (waiting != NULL)
		move_up(consumer, waiting);
	/* Room was made meanwhile, and the sources have more. */
	return consumer->more && !consumer->waits && consumer_has_room(consumer) ? 0 : INT64_MAX;
}
