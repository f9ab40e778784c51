/* SPDX-License-Identifier: MIT */
/* A consumer without sources, on a bench that decides by the rules that are asked about and keeps states to itself. */
#include "core/rehearsal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "core/consumer_inside.h"

/* One reactor's. */
struct scene {
	struct consumer *consumer;
	struct buf *out;
	struct parked_set stuck;
	size_t told, more;
};

static void
member(struct buf *out, const char *key, struct slice text)
{
	json_key(out, key);
	json_quote(out, text);
}

/* What was decided, by stream and type. */
static void
write_events(const struct decided *decided, struct buf *out)
{
	size_t messages = 0;

	json_key(out, "events");
	buf_byte(out, '[');
	for (size_t i = 0; i < decided->entry_count; i++) {
		const struct new_entry *entry = &decided->entries[i];

		messages += entry->kind == ENTRY_MESSAGE;
		if (entry->kind != ENTRY_EVENT)
			continue;
		json_comma(out);
		buf_byte(out, '{');
		member(out, "stream", decided->streams[entry->stream].name);
		member(out, "type", entry->type);
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
	json_key(out, "messages");
	buf_u64(out, messages);
}

static void
ask(struct scene *scene, struct letter *letter)
{
	struct consumer *consumer = scene->consumer;
	enum reaction_answer answer = REACTION_FAILED;
	const struct decided *decided = &letter->reaction.decided;
	bool fails = false;

	if (parked_count(&scene->stuck, &letter->parked) != 0) {
		member(scene->out, "result", SLICE("behind"));
		return;
	}
	letter->reaction.mark = arena_mark(&letter->reaction.arena);
	if (consumer_prepare(consumer, letter, &letter->fault) == 0)
		answer = consumer_ask(consumer, &consumer->bench, letter, &letter->fault);
	switch (answer) {
	case REACTION_DECIDED:
		member(scene->out, "result", decided->refused != 0 ? SLICE("refused") : SLICE("done"));
		if (decided->refused != 0)
			member(scene->out, "text", decided->message.size != 0 ? decided->message : decided->code);
		write_events(decided, scene->out);
		reaction_imagine(&consumer->bench, &letter->reaction);
		break;
	case REACTION_NOTHING:
		member(scene->out, "result", SLICE("nothing"));
		break;
	case REACTION_WAITS:
	case REACTION_FAILED:
		fails = true;
		member(scene->out, "result",
		       answer == REACTION_FAILED && !reaction_passes(&letter->fault) ? SLICE("fails") : SLICE("waits"));
		if (answer == REACTION_FAILED)
			member(scene->out, "text", slice_text(letter->fault.text));
		break;
	}
	if (fails)
		(void)parked_put(&scene->stuck, &letter->parked, 1);
}

static void
tell(struct scene *scene, struct letter *letter)
{
	struct buf *out = scene->out;

	if (scene->told == REHEARSAL_MAX) {
		scene->more++;
		return;
	}
	scene->told++;
	json_comma(out);
	buf_byte(out, '{');
	member(out, "reactor", slice_text(scene->consumer->name));
	member(out, "letter", letter->dead_key);
	member(out, "type", letter->type);
	member(out, "key", letter->message.key);
	ask(scene, letter);
	buf_byte(out, '}');
}

static int
play(struct scene *scene, struct fault *fault)
{
	struct consumer *consumer = scene->consumer;
	int result;

	do {
		struct letter *letter = consumer_spare(consumer);

		if (letter == NULL)
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a dead letter");
		result = consumer_read_letter(consumer, &consumer->drain.after, letter, fault);
		if (result == 1 && letter->dead_parked)
			tell(scene, letter);
		consumer_put_away(consumer, letter);
	} while (result == 1);
	if (scene->more != 0) {
		json_comma(scene->out);
		buf_format(scene->out, "{\"reactor\":\"%s\",\"more\":%zu}", consumer->name, scene->more);
	}
	return result;
}

/* Only what consumer_ask and consumer_read_letter look at. */
static int
open_consumer(const struct rehearsal *rehearsal, uint16_t number, struct consumer *consumer, struct fault *fault)
{
	const struct bench_options bench = { .store = rehearsal->store,
					     .domain = rehearsal->domain,
					     .script = rehearsal->script,
					     .clock = rehearsal->clock,
					     .rules = rehearsal->rules };
	struct slice name = rehearsal->rules->program->reactors[number].name;

	consumer->options = (struct consumer_options){
		.store = rehearsal->store, .domain = rehearsal->domain, .clock = rehearsal->clock, .name = name
	};
	consumer->number = number;
	consumer->rule = &rehearsal->rules->program->reactors[number];
	buf_init(&consumer->drain.after, STORE_KEY_MAX);
	if (consumer_name_spaces(consumer, fault) != 0)
		return -1;
	return bench_open(&bench, &consumer->bench, fault);
}

static int
has_parked(const struct rehearsal *rehearsal, struct slice reactor, bool *has, struct fault *fault)
{
	struct store_reader *reader;
	struct record *records;
	struct arena arena;
	struct slice space;
	size_t count = 0;
	int result = -1;

	arena_init(&arena, (size_t)1 << 20);
	space = arena_format(&arena, "parked/%.*s.%.*s", SLICE_ARG(rehearsal->domain->name), SLICE_ARG(reactor));
	if (space.data == NULL)
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for parked messages");
	else if (store_reader_open(rehearsal->store, &reader, fault) == 0) {
		result = store_list_records(reader, space, SLICE_NONE, 1, &arena, &records, &count, fault);
		store_reader_close(reader);
	}
	arena_fini(&arena);
	*has = count != 0;
	return result;
}

static int
play_reactor(const struct rehearsal *rehearsal, uint16_t number, struct buf *out, struct fault *fault)
{
	struct consumer *consumer = calloc(1, sizeof(*consumer));
	struct scene scene = { .consumer = consumer, .out = out };
	int result = -1;

	if (consumer == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a rehearsal");
	if (open_consumer(rehearsal, number, consumer, fault) == 0)
		result = play(&scene, fault);
	parked_empty(&scene.stuck);
	consumer_drop_lanes(consumer);
	bench_close(&consumer->bench);
	buf_fini(&consumer->drain.after);
	arena_fini(&consumer->names);
	free(consumer);
	return result;
}

int
rehearsal_write(const struct rehearsal *rehearsal, struct buf *out, struct fault *fault)
{
	const struct script_program *program = rehearsal->rules->program;
	bool begun = false;
	int result = 0;

	for (size_t i = 0; result == 0 && i < program->reactor_count; i++) {
		bool has;

		result = has_parked(rehearsal, program->reactors[i].name, &has, fault);
		if (result != 0 || !has)
			continue;
		if (!begun) {
			json_key(out, "parked");
			buf_byte(out, '[');
		}
		begun = true;
		result = play_reactor(rehearsal, (uint16_t)i, out, fault);
	}
	if (begun)
		buf_byte(out, ']');
	return result;
}
