/* SPDX-License-Identifier: MIT */
/*
 * As a command is decided, without a client: every stream that was read goes into the append as "exactly the version
 * read", so that neither a kept state nor one that is passed on before its commit is ever believed over the store.
 *
 * A kept state is taken out of the cache by whoever loads it and put back, with the new events folded in, when the
 * append is given in. So while a stream is in flight the cache has either the state that the stream will have, or none
 * (its fold read what only the commit gives): then whoever wants it waits. So does one of another chain, and once it
 * does, the chain takes no more until all of the stream have landed: nobody waits for ever.
 */
#include "core/reaction.h"

#include <stdlib.h>

#include "core/load.h"

#define HOT_STATES   1024
#define WARM_BYTES   ((size_t)8 << 20)
#define PAGES_MEMORY ((size_t)256 << 20)

/* One call's way to other streams. */
struct bench_load {
	struct bench *bench;
	const void *chain;
	bool waits; /* a stream that it wanted is in flight, and its state not known yet */
};

int
bench_open(const struct bench_options *options, struct bench *bench, struct fault *fault)
{
	size_t hot_states = options->hot_states != 0 ? options->hot_states : HOT_STATES;
	size_t warm_bytes = options->warm_bytes != 0 ? options->warm_bytes : WARM_BYTES;

	*bench = (struct bench){ .options = *options };
	arena_init(&bench->pages, PAGES_MEMORY);
	if (cache_init(&bench->cache, hot_states, warm_bytes, fault) == 0 &&
	    store_reader_open(options->store, &bench->reader, fault) == 0 && bench_adopt(bench, fault) == 0)
		return 0;
	bench_close(bench);
	return -1;
}

void
bench_close(struct bench *bench)
{
	if (bench->options.store == NULL)
		return;
	must(lane_next(&bench->lanes) == NULL);
	lanes_fini(&bench->lanes);
	cache_fini(&bench->cache);
	seat_close_all(&bench->seat);
	if (bench->reader != NULL)
		store_reader_close(bench->reader);
	arena_fini(&bench->pages);
	bench->options.store = NULL;
}

/* Are the seat's rules those that decide now? */
static bool
is_current(const struct bench *bench)
{
	return bench->options.rules != NULL || domain_decides(bench->options.domain, bench->seat->rules);
}

int
bench_adopt(struct bench *bench, struct fault *fault)
{
	struct domain *domain = bench->options.domain;
	struct ruleset *rules;
	struct seat *next;
	int result;

	if (bench->seat != NULL && is_current(bench))
		return 0;
	rules = bench->options.rules != NULL ? ruleset_hold(bench->options.rules) : domain_hold_rules(domain);
	result = seat_open(rules, bench->options.script, &next, fault);
	ruleset_release(rules);
	if (result != 0)
		return -1;
	for (struct seat *seat = bench->seat; seat != NULL; seat = seat->older)
		if (seat != bench->seat)
			cache_leave(&bench->cache, domain->number, seat, next, SIZE_MAX);
	if (bench->seat != NULL)
		seat_sweep(bench->seat);
	seat_adopt(&bench->seat, next);
	return 0;
}

/* ---- states ---- */

static bool
is_of_others(const struct bench_load *wanted, struct lane *flight)
{
	if (wanted->chain == NULL || flight->chain != wanted->chain)
		flight->wanted = true;
	return flight->wanted;
}

static int
load(void *self, uint16_t aggregate, struct slice id, script_state *state, stream_version *version, struct fault *fault)
{
	struct bench_load *wanted = self;
	struct bench *bench = wanted->bench;
	const struct script_program *program = bench->seat->rules->program;
	struct loading loading = { bench->reader, bench->seat->machine, &bench->pages, aggregate, true, NULL };
	char name[STREAM_NAME_MAX + 1];
	struct lane *flight;
	struct slice stream;
	uint64_t hash;

	*state = 0;
	*version = 0;
	if (load_name(program, aggregate, id, name, &stream, fault) != 0)
		return -1;
	hash = command_hash(stream);
	flight = lane_flying(&bench->lanes, stream, hash);
	wanted->waits = flight != NULL && is_of_others(wanted, flight);
	if (!wanted->waits && cache_take(&bench->cache, (uint16_t)bench->options.domain->number, bench->seat, aggregate,
					 stream, hash, state, version))
		return 0;
	wanted->waits = flight != NULL;
	if (wanted->waits)
		return fault_set(fault, FAULT_BUSY, "stream_busy", "%.*s is being written", SLICE_ARG(stream));
	return load_stream(&loading, stream, 0, state, version, fault);
}

/* A stream takes off; NULL: no memory, its state is not passed on then. */
static struct lane *
fly(struct bench *bench, const struct reaction *reaction, struct slice stream, uint64_t hash)
{
	struct lane *flight = lane_fly(&bench->lanes, stream, hash);

	if (flight != NULL && flight->flying == 1) {
		flight->chain = reaction->chain;
		flight->wanted = false;
	}
	return flight;
}

/* The append is on its way: its states are what the next reaction sees. */
static void
keep_states(struct bench *bench, struct reaction *reaction)
{
	const struct script_program *program = bench->seat->rules->program;

	for (size_t i = 0; i < reaction->decided.stream_count; i++) {
		struct decided_stream *stream = &reaction->decided.streams[i];
		uint64_t hash = command_hash(stream->name);
		int aggregate = load_aggregate(program, stream->name);
		bool early = stream->event_count != 0 &&
			     (stream->meta_touched || (aggregate >= 0 && program->aggregates[aggregate].meta_matters));

		if (stream->written && reaction->flights != NULL)
			early = (reaction->flights[i] = fly(bench, reaction, stream->name, hash)) == NULL || early;
		if (stream->state == 0)
			continue;
		if (early || aggregate < 0 ||
		    !cache_keep(&bench->cache, (uint16_t)bench->options.domain->number, reaction->seat,
				(uint16_t)aggregate, stream->name, hash, stream->state,
				stream->version + stream->event_count, false))
			script_state_release(reaction->seat->machine, stream->state);
		stream->state = 0;
	}
}

/* ---- one reaction ---- */

static void
leave_seat(struct reaction *reaction)
{
	if (reaction->seat != NULL)
		reaction->seat->users--;
	reaction->seat = NULL;
}

void
reaction_clear(struct reaction *reaction)
{
	must(reaction->seat == NULL);
	arena_reset(&reaction->arena, reaction->mark);
	reaction->decided = (struct decided){ 0 };
	reaction->flights = NULL;
	reaction->records = NULL;
	reaction->record_count = reaction->record_room = 0;
}

void
reaction_discard(struct bench *bench, struct reaction *reaction)
{
	(void)bench;
	for (size_t i = 0; reaction->seat != NULL && i < reaction->decided.stream_count; i++)
		if (reaction->decided.streams[i].state != 0)
			script_state_release(reaction->seat->machine, reaction->decided.streams[i].state);
	leave_seat(reaction);
	reaction_clear(reaction);
}

enum reaction_answer
reaction_decide(struct bench *bench, struct reaction *reaction, struct react_request *request, struct fault *fault)
{
	struct bench_load wanted = { bench, reaction->chain, false };
	const struct decided *decided = &reaction->decided;
	int result;

	reaction_clear(reaction);
	arena_clear(&bench->pages);
	request->loader = (struct script_loader){ load, &wanted };
	reaction->seat = bench->seat;
	reaction->seat->users++;
	fault_clear(fault);
	result = script_react(bench->seat->machine, request, &reaction->arena, &reaction->decided, fault);
	if (result != 0)
		reaction->decided = (struct decided){ 0 };
	/* Others may have recorded by newer rules what this decision read: on no stream the old follow the new. */
	if (wanted.waits || !is_current(bench)) {
		reaction_discard(bench, reaction);
		return REACTION_WAITS;
	}
	if (result == 0 && (decided->stream_count != 0 || decided->entry_count != 0 || decided->timer_count != 0 ||
			    decided->reservation_count != 0))
		return REACTION_DECIDED;
	reaction_discard(bench, reaction);
	return result == 0 ? REACTION_NOTHING : REACTION_FAILED;
}

bool
reaction_passes(const struct fault *fault)
{
	switch (fault->class) { /* house: long table */
	case FAULT_BUSY:
	case FAULT_AWAY:
	case FAULT_UNKNOWN:
	case FAULT_TIMEOUT:
	case FAULT_FULL:
	case FAULT_CORRUPT: /* of the store: an operator is at it, or will be; nothing is skipped for it */
	case FAULT_MEMORY:
		return true;
	case FAULT_SCRIPT:
		return strcmp(fault->code, "time_limit") == 0 || strcmp(fault->code, "retry") == 0;
	case FAULT_NONE:
	case FAULT_INPUT:
	case FAULT_LIMIT:
	case FAULT_CONFIG:
	case FAULT_BUG:
	case FAULT_CLASSES:
		break;
	}
	return false;
}

bool
reaction_add(struct reaction *reaction, struct record_write record)
{
	if (reaction->record_count == reaction->record_room) {
		size_t room = reaction->record_room == 0 ? 8 : 2 * reaction->record_room;
		struct record_write *records = arena_zero(&reaction->arena, room, sizeof(*records));

		if (records == NULL)
			return false;
		if (reaction->record_count != 0)
			memcpy(records, reaction->records, reaction->record_count * sizeof(*records));
		reaction->records = records;
		reaction->record_room = room;
	}
	reaction->records[reaction->record_count++] = record;
	return true;
}

static bool
add_reservations(const struct bench *bench, struct reaction *reaction)
{
	const struct decided *decided = &reaction->decided;

	for (size_t i = 0; i < decided->reservation_count; i++) {
		const struct reservation *reservation = &decided->reservations[i];
		struct record_write record = { .rule = reservation->release ? RECORD_REMOVE_EQUALS : RECORD_ABSENT,
					       .key = reservation->key };

		record.space = arena_format(&reaction->arena, "unique/%.*s.%.*s",
					    SLICE_ARG(bench->options.domain->name), SLICE_ARG(reservation->name));
		*(reservation->release ? &record.before : &record.value) = decided->streams[reservation->stream].name;
		if (record.space.data == NULL || !reaction_add(reaction, record))
			return false;
	}
	return true;
}

static int
add_timers(const struct bench *bench, struct reaction *reaction, struct fault *fault)
{
	const struct decided *decided = &reaction->decided;
	struct record_write *records;
	size_t count = 0;

	if (decided->timer_count == 0)
		return 0;
	records = arena_zero(&reaction->arena, decided->timer_count * TIMER_RECORDS, sizeof(*records));
	if (records == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for timers");
	if (timer_records(bench->options.domain->name, decided, timer_skew(bench->options.timers), &reaction->arena,
			  records, &count, fault) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (!reaction_add(reaction, records[i]))
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for timers");
	return 0;
}

int
reaction_append(struct bench *bench, struct reaction *reaction, const struct provenance *provenance,
		struct fault *fault)
{
	const struct decided *decided = &reaction->decided;
	struct append_stream *streams = arena_zero(&reaction->arena, decided->stream_count + 1, sizeof(*streams));
	struct append *append = &reaction->submission.append;
	struct seat *seat = reaction->seat != NULL ? reaction->seat : bench->seat;

	reaction->flights = arena_zero(&reaction->arena, decided->stream_count + 1, sizeof(struct lane *));
	if (streams == NULL || reaction->flights == NULL || !add_reservations(bench, reaction))
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for an append");
	if (add_timers(bench, reaction, fault) != 0)
		return -1;
	*append = (struct append){ .streams = streams,
				   .stream_count = decided->stream_count,
				   .entries = decided->entries,
				   .entry_count = decided->entry_count,
				   .records = reaction->records,
				   .record_count = reaction->record_count,
				   .provenance = *provenance,
				   .generation = seat->rules->generation,
				   .arena = &reaction->arena };
	for (size_t i = 0; i < decided->stream_count; i++) {
		streams[i].name = decided->streams[i].name;
		/* No script decided what the owner made itself: it read nothing. */
		streams[i].expected = reaction->seat != NULL
					      ? (struct expected){ EXPECTED_EXACTLY, decided->streams[i].version }
					      : (struct expected){ EXPECTED_ANY, 0 };
	}
	for (size_t i = 0; i < decided->entry_count; i++)
		entry_digest(&decided->entries[i], streams[decided->entries[i].stream].name, append->generation,
			     provenance, &decided->entries[i].digest);
	if (reaction->seat != NULL)
		keep_states(bench, reaction);
	leave_seat(reaction);
	return 0;
}

void
reaction_imagine(struct bench *bench, struct reaction *reaction)
{
	reaction->flights = NULL;
	keep_states(bench, reaction);
	leave_seat(reaction);
}

bool
reaction_settle(struct bench *bench, struct reaction *reaction)
{
	const struct append *append = &reaction->submission.append;
	const struct decided *decided = &reaction->decided;
	bool done = reaction->submission.result == COMMIT_DONE && append->answer == APPEND_DONE;

	for (size_t i = 0; i < decided->stream_count; i++) {
		struct slice stream = decided->streams[i].name;

		if (reaction->flights[i] != NULL)
			lane_land(&bench->lanes, reaction->flights[i]);
		if (!done)
			cache_forget(&bench->cache, stream, command_hash(stream));
		else if (decided->streams[i].written && bench->options.wrote != NULL)
			bench->options.wrote(bench->options.self, stream);
	}
	must(lane_next(&bench->lanes) == NULL);
	return done;
}
