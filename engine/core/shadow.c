/* SPDX-License-Identifier: MIT */
/*
 * Each thread takes the streams whose hash is its own, the newest first, and shares nothing. Where they are few beside
 * the log's entries it lists them (shadow_streams.h), so that what other streams recorded costs nothing; else it walks
 * the log backwards in windows, and what it remembers of a stream is eight bytes. A stream is read once, page by page;
 * each page is folded by both sides. Where the states differ in the end it is read once more, event by event, for the
 * first one.
 *
 * When the time is over a thread goes on without folding, so that the answer can say how many there were.
 */
#include "core/shadow.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/seen.h"
#include "core/shadow_places.h"
#include "core/shadow_streams.h"

#define WINDOW       ((log_position)4096)
#define WINDOW_BYTES ((size_t)64 << 20)
#define PAGE_ENTRIES 512
#define PAGE_BYTES   ((size_t)512 * 1024)
#define STATE_SHOWN  ((size_t)4096)
#define NICENESS     10

/* ---- one thread ---- */

struct side {
	struct script_machine *machine;
	uint16_t aggregate;
	script_state state;
	struct buf bytes; /* canonical */
};

struct judge {
	const struct shadow_options *options;
	unsigned number;
	int64_t deadline_ns; /* 0: none */
	log_position first, last;
	const struct slice *prefixes; /* of the streams that are asked, one an aggregate */
	size_t prefix_count;
	struct store_reader *reader;
	struct side before, after;
	struct seen seen;
	struct arena page, window;
	struct arena arena; /* of the differences */
	struct shadow_result result;
	struct fault fault;
	int failed;
	pthread_t thread;
	bool running;
};

int
shadow_goes_on(const struct shadow_options *options, struct fault *fault)
{
	if (options->pressing == NULL || atomic_load(options->pressing) == 0)
		return 0;
	return fault_set(fault, FAULT_BUSY, "broken_off", "something goes first");
}

static bool
was_stopped(const struct fault *fault)
{
	return strcmp(fault->code, "time_limit") == 0 || strcmp(fault->code, "memory_limit") == 0;
}

static void
forget(struct side *side)
{
	if (side->state != 0)
		script_state_release(side->machine, side->state);
	side->state = 0;
}

static int
fold(struct side *side, const struct recorded_entry *entries, size_t count, size_t *folded, struct fault *fault)
{
	*folded = 0;
	if (side->state == 0 && script_initial(side->machine, side->aggregate, &side->state, fault) != 0) {
		side->state = 0;
		return -1;
	}
	return script_fold(side->machine, side->aggregate, side->state, entries, count, folded, fault);
}

static int
encode(struct side *side, struct fault *fault)
{
	buf_clear(&side->bytes);
	if (side->state == 0)
		return 0;
	if (script_encode(side->machine, side->aggregate, side->state, &side->bytes, fault) != 0)
		return -1;
	return side->bytes.failed ? fault_set(fault, FAULT_MEMORY, "memory", "no memory for a state") : 0;
}

/* What a stream's events gave. */
enum verdict {
	VERDICT_SAME,
	VERDICT_DIFFERENT, /* also: the new rules fail where the old ones do not */
	VERDICT_LEFT_OUT,  /* the old rules fail, the new ones do not until there */
	VERDICT_OPEN,      /* a call was stopped: nothing can be said */
	VERDICT_FAULT
};

/* Events that both sides have folded, and what the new rules failed with. */
struct reading {
	stream_version last;
	stream_version failed_at; /* 0: they did not */
	struct fault raised;
};

static enum verdict
fold_both(struct judge *judge, const struct entries *page, struct reading *reading)
{
	struct fault fault;
	size_t done, count = page->count;
	bool left_out = false;

	if (fold(&judge->before, page->items, page->count, &done, &fault) != 0) {
		if (fault.class != FAULT_SCRIPT)
			return judge->fault = fault, VERDICT_FAULT;
		if (was_stopped(&fault))
			return VERDICT_OPEN;
		left_out = true;
		count = done;
	}
	if (count != 0 && fold(&judge->after, page->items, count, &done, &fault) != 0) {
		if (fault.class != FAULT_SCRIPT) {
			judge->fault = fault;
			return VERDICT_FAULT;
		}
		if (was_stopped(&fault))
			return VERDICT_OPEN;
		reading->failed_at = page->items[done < count ? done : count - 1].version;
		reading->raised = fault;
		return VERDICT_DIFFERENT;
	}
	judge->result.events += count;
	return left_out ? VERDICT_LEFT_OUT : VERDICT_SAME;
}

/* Folds the stream's events by both sides, `step` at a time, and with a small step compares after each. */
static enum verdict
walk_stream(struct judge *judge, struct slice stream, size_t step, struct reading *reading)
{
	enum verdict verdict = VERDICT_SAME;
	stream_version end = 0;

	*reading = (struct reading){ 0 };
	do {
		struct read_limit limit = { PAGE_ENTRIES, PAGE_BYTES };
		struct entries page = { 0 };

		arena_clear(&judge->page);
		if (shadow_goes_on(judge->options, &judge->fault) != 0 ||
		    store_read_stream(judge->reader, stream, reading->last + 1, limit, &judge->page, &page, &end,
				      &judge->fault) != 0)
			return VERDICT_FAULT;
		if (page.count == 0)
			break;
		for (size_t at = 0; at < page.count && verdict == VERDICT_SAME; at += step) {
			struct entries some = { page.items + at, page.count - at < step ? page.count - at : step };

			verdict = fold_both(judge, &some, reading);
			reading->last = some.items[some.count - 1].version;
			if (verdict != VERDICT_SAME || (step != 1 && reading->last < end))
				continue;
			if (encode(&judge->before, &judge->fault) != 0 || encode(&judge->after, &judge->fault) != 0)
				return VERDICT_FAULT;
			if (!slice_equal(buf_slice(&judge->before.bytes), buf_slice(&judge->after.bytes)))
				verdict = VERDICT_DIFFERENT;
		}
	} while (verdict == VERDICT_SAME && reading->last < end);
	return verdict;
}

static enum verdict
walk_afresh(struct judge *judge, struct slice stream, size_t step, struct reading *reading)
{
	enum verdict verdict = walk_stream(judge, stream, step, reading);

	forget(&judge->before);
	forget(&judge->after);
	return verdict;
}

/* ---- telling a difference ---- */

static const struct script_aggregate *
aggregate_of(const struct ruleset *rules, uint16_t aggregate)
{
	return &rules->program->aggregates[aggregate];
}

static struct slice
shown_state(struct judge *judge, const struct side *side)
{
	struct slice bytes = buf_slice(&side->bytes);

	return bytes.size > STATE_SHOWN ? SLICE_NONE : arena_copy(&judge->arena, bytes);
}

/* Type and position of one event of the stream. */
static void
find_event(struct judge *judge, struct shadow_difference *difference)
{
	struct read_limit one = { 1, 0 };
	struct entries page = { 0 };
	stream_version end;
	struct fault fault;

	arena_clear(&judge->page);
	if (store_read_stream(judge->reader, difference->stream, difference->version, one, &judge->page, &page, &end,
			      &fault) != 0 ||
	    page.count == 0)
		return;
	difference->type = arena_copy(&judge->arena, page.items[0].type);
	difference->position = page.items[0].position;
}

static int
tell(struct judge *judge, struct slice stream, bool declared)
{
	struct shadow_difference *difference;
	struct reading reading;

	judge->result.differing++;
	judge->result.undeclared += !declared;
	if (judge->result.shown_count == SHADOW_SHOWN_MAX)
		return 0;
	if (walk_afresh(judge, stream, 1, &reading) == VERDICT_FAULT)
		return -1;
	if (judge->result.shown == NULL)
		judge->result.shown = arena_zero(&judge->arena, SHADOW_SHOWN_MAX, sizeof(*judge->result.shown));
	if (judge->result.shown == NULL)
		return fault_set(&judge->fault, FAULT_MEMORY, "memory", "no memory for a difference");
	difference = &judge->result.shown[judge->result.shown_count++];
	difference->stream = arena_copy(&judge->arena, stream);
	difference->aggregate = aggregate_of(judge->options->after, judge->after.aggregate)->name;
	difference->declared = declared;
	difference->version = reading.failed_at != 0 ? reading.failed_at : reading.last;
	if (reading.failed_at != 0) {
		difference->raised = arena_copy(&judge->arena, slice_text(reading.raised.text));
	} else {
		difference->before = shown_state(judge, &judge->before);
		difference->after = shown_state(judge, &judge->after);
		difference->places =
			shadow_places(buf_slice(&judge->before.bytes), buf_slice(&judge->after.bytes), &judge->arena);
	}
	find_event(judge, difference);
	return 0;
}

/* ---- streams ---- */

/* The aggregate's numbers on both sides, when its fold is another one. */
static bool
is_asked(struct judge *judge, const struct stream_name *name)
{
	const struct ruleset *before = judge->options->before, *after = judge->options->after;
	int b = script_find_aggregate(before->program, name->aggregate);
	int a = script_find_aggregate(after->program, name->aggregate);

	if (b < 0 || a < 0)
		return false;
	judge->before.aggregate = (uint16_t)b;
	judge->after.aggregate = (uint16_t)a;
	return memcmp(&aggregate_of(before, (uint16_t)b)->fold_hash, &aggregate_of(after, (uint16_t)a)->fold_hash,
		      sizeof(struct digest)) != 0;
}

static int
ask_stream(struct judge *judge, struct slice stream)
{
	bool declared = aggregate_of(judge->options->after, judge->after.aggregate)->state_version >
			aggregate_of(judge->options->before, judge->before.aggregate)->state_version;
	struct reading reading;

	switch (walk_afresh(judge, stream, PAGE_ENTRIES, &reading)) {
	case VERDICT_SAME:
		break;
	case VERDICT_DIFFERENT:
		if (tell(judge, stream, declared) != 0)
			return -1;
		break;
	case VERDICT_LEFT_OUT:
		judge->result.left_out++;
		break;
	case VERDICT_OPEN:
		if (judge->result.stopped++ == 0)
			judge->result.stopped_at = arena_copy(&judge->arena, stream);
		return 0;
	case VERDICT_FAULT:
		return -1;
	}
	judge->result.asked++;
	return 0;
}

static int
take_stream(struct judge *judge, struct slice stream)
{
	struct stream_name name;
	bool over;

	if (stream_parse(stream, &name, &judge->fault) != 0 || !is_asked(judge, &name))
		return 0;
	judge->result.streams++;
	over = judge->deadline_ns != 0 && clock_mono_ns(judge->options->clock) > judge->deadline_ns;
	return over ? 0 : ask_stream(judge, stream);
}

static int
meet_stream(struct judge *judge, struct slice stream)
{
	uint64_t hash = shadow_stream_hash(stream);
	bool fresh;

	if (hash % judge->options->threads != judge->number)
		return 0;
	if (!seen_add(&judge->seen, hash, &fresh))
		return fault_set(&judge->fault, FAULT_MEMORY, "memory", "no memory for the streams that were met");
	return fresh ? take_stream(judge, stream) : 0;
}

/* One window of the log, its last entries first. */
static int
walk_window(struct judge *judge, log_position after, log_position to)
{
	struct log_filter filter = { .domain = judge->options->before->program->domain,
				     .stream_prefix = judge->prefix_count == 1 ? judge->prefixes[0] : SLICE_NONE,
				     .events_only = true,
				     .until = to };

	while (after < to) {
		struct read_limit limit = { (size_t)(to - after), WINDOW_BYTES };
		struct entries entries = { 0 };

		arena_clear(&judge->window);
		if (shadow_goes_on(judge->options, &judge->fault) != 0 ||
		    store_read_log(judge->reader, after, &filter, limit, &judge->window, &entries, &after,
				   &judge->fault) != 0)
			return -1;
		for (size_t i = entries.count; i > 0; i--) {
			if (meet_stream(judge, entries.items[i - 1].stream) != 0)
				return -1;
		}
	}
	return 0;
}

static int
walk_log(struct judge *judge)
{
	log_position to = judge->last;

	while (to > judge->first) {
		log_position after = to - judge->first > WINDOW ? to - WINDOW : judge->first;

		if (walk_window(judge, after, to) != 0)
			return -1;
		to = after;
	}
	return 0;
}

static int
walk_listed(struct judge *judge, const struct shadow_streams *streams)
{
	for (size_t i = 0; i < streams->count; i++)
		if (take_stream(judge, streams->items[i].name) != 0)
			return -1;
	return 0;
}

static void *
judge_main(void *self)
{
	struct judge *judge = self;
	struct shadow_streams streams = { .reader = judge->reader,
					  .prefixes = judge->prefixes,
					  .prefix_count = judge->prefix_count,
					  .most = shadow_streams_most(judge->last - judge->first),
					  .threads = judge->options->threads,
					  .number = judge->number };

	/* Lower than the threads that decide, whatever theirs is. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + NICENESS);
	/* What was written lately is found in the log sooner than in a list of all. */
	judge->failed = judge->first == 0 ? shadow_streams_list(&streams, &judge->window, &judge->fault) : 0;
	if (judge->failed == 0)
		judge->failed = streams.listed ? walk_listed(judge, &streams) : walk_log(judge);
	return NULL;
}

/* ---- all threads ---- */

static int
judge_open(struct judge *judge, struct fault *fault)
{
	arena_init(&judge->page, (size_t)64 << 20);
	arena_init(&judge->window, (size_t)256 << 20);
	arena_init(&judge->arena, (size_t)16 << 20);
	buf_init(&judge->before.bytes, (size_t)64 << 20);
	buf_init(&judge->after.bytes, (size_t)64 << 20);
	if (store_reader_open(judge->options->store, &judge->reader, fault) != 0 ||
	    script_open(judge->options->before->program, judge->options->script, &judge->before.machine, fault) != 0)
		return -1;
	return script_open(judge->options->after->program, judge->options->script, &judge->after.machine, fault);
}

static void
judge_close(struct judge *judge)
{
	script_close(judge->before.machine);
	script_close(judge->after.machine);
	store_reader_close(judge->reader);
	buf_fini(&judge->before.bytes);
	buf_fini(&judge->after.bytes);
	arena_fini(&judge->page);
	arena_fini(&judge->window);
	arena_fini(&judge->arena);
	seen_fini(&judge->seen);
}

static bool
copy_difference(struct shadow_difference *difference, struct arena *arena)
{
	struct slice *texts[] = { &difference->stream, &difference->type,   &difference->before,   &difference->after,
				  &difference->raised, &difference->places, &difference->aggregate };

	for (size_t i = 0; i < countof(texts); i++) {
		if (texts[i]->size == 0)
			continue;
		*texts[i] = arena_copy(arena, *texts[i]);
		if (texts[i]->data == NULL)
			return false;
	}
	return true;
}

/* Adds what one thread found; the newest differences are told first. */
static int
add_up(struct judge *judge, struct arena *arena, struct shadow_result *result, struct fault *fault)
{
	result->streams += judge->result.streams;
	result->asked += judge->result.asked;
	result->events += judge->result.events;
	result->left_out += judge->result.left_out;
	result->stopped += judge->result.stopped;
	if (result->stopped_at.size == 0 && judge->result.stopped_at.size != 0)
		result->stopped_at = arena_copy(arena, judge->result.stopped_at);
	result->differing += judge->result.differing;
	result->undeclared += judge->result.undeclared;
	for (size_t i = 0; i < judge->result.shown_count; i++) {
		struct shadow_difference *place = &result->shown[result->shown_count++];

		*place = judge->result.shown[i];
		if (!copy_difference(place, arena))
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a report");
	}
	return 0;
}

static int
by_position(const void *a, const void *b)
{
	log_position x = ((const struct shadow_difference *)a)->position;
	log_position y = ((const struct shadow_difference *)b)->position;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* What the names of streams begin with whose aggregates' folds differ; NULL: no memory. */
static struct slice *
differing_folds(const struct shadow_options *options, struct arena *arena, size_t *count)
{
	const struct script_program *before = options->before->program, *after = options->after->program;
	struct slice *prefixes = arena_zero(arena, before->aggregate_count + 1, sizeof(*prefixes));

	*count = 0;
	for (size_t i = 0; prefixes != NULL && i < before->aggregate_count; i++) {
		struct slice name = before->aggregates[i].name;
		int number = script_find_aggregate(after, name);

		if (number < 0 || memcmp(&before->aggregates[i].fold_hash, &after->aggregates[number].fold_hash,
					 sizeof(struct digest)) == 0)
			continue;
		prefixes[*count] = arena_format(arena, "%.*s.%.*s/", SLICE_ARG(before->domain), SLICE_ARG(name));
		if (prefixes[(*count)++].data == NULL)
			return NULL;
	}
	return prefixes;
}

/* Asks the streams that have an entry after `first` and up to `last`. */
static int
ask_range(struct judge *judges, unsigned count, log_position first, log_position last, struct fault *fault)
{
	int failed = 0;

	for (unsigned i = 0; i < count && failed == 0; i++) {
		seen_fini(&judges[i].seen);
		judges[i].first = first;
		judges[i].last = last;
		if (pthread_create(&judges[i].thread, NULL, judge_main, &judges[i]) != 0)
			failed = fault_set(fault, FAULT_AWAY, "no_thread", "a thread for history cannot be started");
		judges[i].running = failed == 0;
	}
	for (unsigned i = 0; i < count; i++) {
		if (judges[i].running)
			pthread_join(judges[i].thread, NULL);
		judges[i].running = false;
		if (failed == 0 && judges[i].failed != 0) {
			*fault = judges[i].fault;
			failed = -1;
		}
	}
	return failed;
}

static bool
none_differs(const struct judge *judges, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (judges[i].result.differing != 0)
			return false;
	return true;
}

/* Once over all, and once over the streams that were written meanwhile. */
static int
ask_twice(struct judge *judges, const struct shadow_options *options, struct fault *fault)
{
	log_position asked_to = 0, head = store_head(options->store);

	for (int round = 0; round < 2 && asked_to < head && none_differs(judges, options->threads); round++) {
		if (ask_range(judges, options->threads, asked_to, head, fault) != 0)
			return -1;
		asked_to = head;
		head = store_head(options->store);
	}
	return 0;
}

int
shadow_run(const struct shadow_options *options, struct arena *arena, struct shadow_result *result, struct fault *fault)
{
	int64_t began_ns = clock_mono_ns(options->clock);
	struct judge *judges = arena_zero(arena, options->threads, sizeof(*judges));
	struct slice *prefixes;
	size_t prefix_count;
	int failed = 0;

	*result = (struct shadow_result){ 0 };
	result->shown = arena_zero(arena, (size_t)SHADOW_SHOWN_MAX * options->threads, sizeof(*result->shown));
	prefixes = differing_folds(options, arena, &prefix_count);
	if (judges == NULL || result->shown == NULL || prefixes == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a report");
	if (prefix_count == 0)
		return 0;
	for (unsigned i = 0; i < options->threads && failed == 0; i++) {
		judges[i] = (struct judge){ .options = options,
					    .number = i,
					    .deadline_ns = options->box_us != 0 ? began_ns + options->box_us * 1000 : 0,
					    .prefixes = prefixes,
					    .prefix_count = prefix_count };
		failed = judge_open(&judges[i], fault);
	}
	if (failed == 0)
		failed = ask_twice(judges, options, fault);
	for (unsigned i = 0; i < options->threads; i++) {
		if (failed == 0)
			failed = add_up(&judges[i], arena, result, fault);
		if (judges[i].options != NULL)
			judge_close(&judges[i]);
	}
	if (failed != 0)
		return -1;
	qsort(result->shown, result->shown_count, sizeof(*result->shown), by_position);
	if (result->shown_count > SHADOW_SHOWN_MAX)
		result->shown_count = SHADOW_SHOWN_MAX;
	result->took_us = (clock_mono_ns(options->clock) - began_ns) / 1000;
	return 0;
}
