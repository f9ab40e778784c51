/* SPDX-License-Identifier: MIT */
/*
 * The newest streams are found by walking the log backwards in windows; each is read whole, until there are enough
 * entries or a third of the time is over. They are sorted by position and go through in pages, until the time is over.
 */
#include "core/shadow_rows.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/seen.h"
#include "core/shadow_project.h"

#define SOME_ENTRIES ((size_t)50000)  /* asked in a time box */
#define MOST_ENTRIES ((size_t)500000) /* when all are: their rows lie in memory, twice */
#define SOME_BYTES   ((size_t)64 << 20)
#define WINDOW       ((log_position)4096)
#define PAGE_ENTRIES ((size_t)1000)
#define PAGE_BYTES   ((size_t)4 << 20)
#define NAMES_PAGE   20000
#define REPORT_MAX   ((size_t)4 << 20)
#define NICENESS     10

/* Entries of the newest streams. */
struct sample {
	struct recorded_entry *items;
	size_t count;
	size_t room;
	size_t bytes;
	bool full; /* something was left out */
};

struct shadow_rows {
	const struct shadow_options *options;
	int64_t began_ns, deadline_ns; /* 0: none */
	log_position head;
	struct store_reader *reader;
	struct shadow_project project;
	struct slice prefix; /* of the streams, where one aggregate's are heard; empty: several */
	struct seen met;     /* streams with an entry that went through */
	struct seen seen;    /* streams that were looked at */
	struct sample sample;
	struct arena page, kept;
	struct shadow_rows_result result;
	pthread_t thread;
	bool running;
};

static bool
is_over(const struct shadow_rows *rows, int64_t deadline_ns)
{
	return deadline_ns != 0 && clock_mono_ns(rows->options->clock) > deadline_ns;
}

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory to ask history for rows");
}

static bool
is_heard(const struct shadow_rows *rows, struct slice stream)
{
	struct stream_name name;
	struct fault ignored;

	return stream_parse(stream, &name, &ignored) == 0 && shadow_project_hears(&rows->project, name.aggregate);
}

/* ---- how many streams ---- */

static int
count_streams(struct shadow_rows *rows, struct slice prefix, struct fault *fault)
{
	struct slice after = SLICE_NONE, *names;
	size_t count;

	do {
		struct arena_mark mark;

		names = NULL;
		count = 0;
		mark = arena_mark(&rows->kept);
		if (store_list_streams(rows->reader, prefix, after, NAMES_PAGE, &rows->kept, &names, &count, fault) !=
		    0)
			return -1;
		rows->result.streams += count;
		if (count == NAMES_PAGE)
			after = names[count - 1];
		else
			arena_reset(&rows->kept, mark);
	} while (count == NAMES_PAGE);
	arena_clear(&rows->kept);
	return 0;
}

/* Of both programs' aggregates, each once. */
static int
count_heard(struct shadow_rows *rows, struct fault *fault)
{
	const struct script_program *programs[] = { rows->options->before->program, rows->options->after->program };
	struct arena *arena = &rows->project.arena;
	size_t aggregates = 0;

	for (size_t side = 0; side < countof(programs); side++) {
		for (size_t i = 0; i < programs[side]->aggregate_count; i++) {
			struct slice name = programs[side]->aggregates[i].name, prefix;

			if ((side == 1 && script_find_aggregate(programs[0], name) >= 0) ||
			    !shadow_project_hears(&rows->project, name))
				continue;
			prefix = arena_format(arena, "%.*s.%.*s/", SLICE_ARG(programs[side]->domain), SLICE_ARG(name));
			if (prefix.data == NULL)
				return no_memory(fault);
			if (count_streams(rows, prefix, fault) != 0)
				return -1;
			rows->prefix = aggregates++ == 0 ? prefix : SLICE_NONE;
		}
	}
	return 0;
}

/* ---- entries through both ---- */

static int
put_through(struct shadow_rows *rows, const struct recorded_entry *entries, size_t count, struct fault *fault)
{
	bool ignored;

	if (shadow_goes_on(rows->options, fault) != 0 ||
	    shadow_project_page(&rows->project, entries, count, fault) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (!is_heard(rows, entries[i].stream))
			continue;
		rows->result.entries++;
		if (!seen_add(&rows->met, slice_hash(entries[i].stream, 0x726fu), &ignored))
			return no_memory(fault);
	}
	return 0;
}

static struct log_filter
filter_of(const struct shadow_rows *rows, log_position until)
{
	return (struct log_filter){ .domain = rows->options->before->program->domain,
				    .stream_prefix = rows->prefix,
				    .events_only = true,
				    .until = until };
}

/* From its beginning, as a rebuild would. */
static int
run_log(struct shadow_rows *rows, struct fault *fault)
{
	const struct log_filter filter = filter_of(rows, rows->head);
	const struct read_limit limit = { PAGE_ENTRIES, PAGE_BYTES };
	log_position at = 0;

	rows->result.from_1 = true;
	while (at < rows->head && rows->result.entries < MOST_ENTRIES && !is_over(rows, rows->deadline_ns)) {
		struct entries page = { 0 };

		arena_clear(&rows->page);
		if (store_read_log(rows->reader, at, &filter, limit, &rows->page, &page, &at, fault) != 0 ||
		    put_through(rows, page.items, page.count, fault) != 0)
			return -1;
	}
	rows->result.whole = at >= rows->head;
	return 0;
}

/* ---- the newest streams ---- */

static bool
keep_entries(struct sample *sample, const struct entries *page)
{
	while (sample->room < sample->count + page->count) {
		size_t room = sample->room != 0 ? 2 * sample->room : 4096;
		struct recorded_entry *wider = realloc(sample->items, room * sizeof(*wider));

		if (wider == NULL)
			return false;
		sample->items = wider;
		sample->room = room;
	}
	for (size_t i = 0; i < page->count; i++) {
		sample->bytes += page->items[i].data.size;
		sample->items[sample->count++] = page->items[i];
	}
	return true;
}

static int
take_stream(struct shadow_rows *rows, struct slice stream, int64_t until_ns, struct fault *fault)
{
	const struct read_limit limit = { PAGE_ENTRIES, PAGE_BYTES };
	struct sample *sample = &rows->sample;
	stream_version next = 1, end = 0;

	do {
		struct entries page = { 0 };

		sample->full = sample->count >= SOME_ENTRIES || sample->bytes >= SOME_BYTES || is_over(rows, until_ns);
		if (sample->full)
			return 0;
		if (store_read_stream(rows->reader, stream, next, limit, &rows->kept, &page, &end, fault) != 0)
			return -1;
		if (!keep_entries(sample, &page))
			return no_memory(fault);
		next = page.count != 0 ? page.items[page.count - 1].version + 1 : end + 1;
	} while (next <= end);
	return 0;
}

static int
gather_window(struct shadow_rows *rows, log_position after, log_position to, int64_t until_ns, struct fault *fault)
{
	const struct log_filter filter = filter_of(rows, to);

	while (after < to && !rows->sample.full) {
		const struct read_limit limit = { (size_t)(to - after), SOME_BYTES };
		struct entries page = { 0 };

		arena_clear(&rows->page);
		if (store_read_log(rows->reader, after, &filter, limit, &rows->page, &page, &after, fault) != 0)
			return -1;
		for (size_t i = page.count; i > 0 && !rows->sample.full; i--) {
			struct slice stream = page.items[i - 1].stream;
			bool fresh;

			if (!seen_add(&rows->seen, slice_hash(stream, 0x726fu), &fresh))
				return no_memory(fault);
			if (fresh && is_heard(rows, stream) && take_stream(rows, stream, until_ns, fault) != 0)
				return -1;
		}
	}
	return 0;
}

static int
by_position(const void *a, const void *b)
{
	log_position x = ((const struct recorded_entry *)a)->position;
	log_position y = ((const struct recorded_entry *)b)->position;

	return x < y ? -1 : x > y ? 1 : 0;
}

static int
run_sample(struct shadow_rows *rows, struct fault *fault)
{
	struct sample *sample = &rows->sample;
	int64_t until_ns = rows->deadline_ns != 0 ? rows->began_ns + (rows->deadline_ns - rows->began_ns) / 3 : 0;
	size_t at = 0;

	for (log_position to = rows->head; to > 0 && !sample->full;) {
		log_position after = to > WINDOW ? to - WINDOW : 0;

		if (gather_window(rows, after, to, until_ns, fault) != 0)
			return -1;
		to = after;
	}
	if (sample->count != 0)
		qsort(sample->items, sample->count, sizeof(*sample->items), by_position);
	while (at < sample->count && !is_over(rows, rows->deadline_ns)) {
		size_t count = sample->count - at < PAGE_ENTRIES ? sample->count - at : PAGE_ENTRIES;

		if (put_through(rows, sample->items + at, count, fault) != 0)
			return -1;
		at += count;
	}
	rows->result.whole = !sample->full && at == sample->count;
	return 0;
}

/* ---- the thread ---- */

static void
take_failing(struct shadow_rows *rows)
{
	struct shadow_rows_result *result = &rows->result;

	for (size_t i = 0; i < rows->project.count; i++) {
		const struct shadow_pair *pair = &rows->project.pairs[i];

		if (pair->raised != 0 && result->failing++ == 0)
			snprintf(result->failed, sizeof(result->failed),
				 "projection %.*s at %.*s version %llu (%.*s, position %llu): %s",
				 SLICE_ARG(pair->name), SLICE_ARG(pair->first.stream),
				 (unsigned long long)pair->first.version, SLICE_ARG(pair->first.type),
				 (unsigned long long)pair->first.position, pair->first.text);
	}
}

static int
ask(struct shadow_rows *rows, struct fault *fault)
{
	bool in_order = rows->options->box_us == 0 || rows->head <= SOME_ENTRIES;

	if (count_heard(rows, fault) != 0 || (in_order ? run_log(rows, fault) : run_sample(rows, fault)) != 0)
		return -1;
	take_failing(rows);
	return shadow_project_write(&rows->project, &rows->result.projections, &rows->result.rows_differ, fault);
}

static void *
rows_main(void *self)
{
	struct shadow_rows *rows = self;
	struct fault fault;

	pthread_setname_np(pthread_self(), "rows");
	setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + NICENESS);
	if (ask(rows, &fault) != 0) {
		rows->result.fault = fault;
		buf_clear(&rows->result.projections);
	}
	rows->result.asked = rows->met.count;
	rows->result.took_us = (clock_mono_ns(rows->options->clock) - rows->began_ns) / 1000;
	return NULL;
}

static void
free_rows(struct shadow_rows *rows)
{
	shadow_project_close(&rows->project);
	store_reader_close(rows->reader);
	seen_fini(&rows->met);
	seen_fini(&rows->seen);
	free(rows->sample.items);
	arena_fini(&rows->page);
	arena_fini(&rows->kept);
	free(rows);
}

static int
start(struct shadow_rows *rows, struct fault *fault)
{
	const struct shadow_options *options = rows->options;

	if (shadow_project_open(&rows->project, options, fault) != 0)
		return -1;
	if (rows->project.count == 0)
		return 0;
	if (store_reader_open(options->store, &rows->reader, fault) != 0)
		return -1;
	if (pthread_create(&rows->thread, NULL, rows_main, rows) != 0)
		return fault_set(fault, FAULT_AWAY, "no_thread", "a thread for rows cannot be started");
	rows->running = true;
	return 0;
}

void
shadow_rows_start(const struct shadow_options *options, struct shadow_rows **rows)
{
	struct shadow_rows *made = options->scratch != NULL ? calloc(1, sizeof(*made)) : NULL;
	struct fault fault;

	*rows = made;
	if (made == NULL)
		return;
	made->options = options;
	made->began_ns = clock_mono_ns(options->clock);
	made->deadline_ns = options->box_us != 0 ? made->began_ns + options->box_us * 1000 : 0;
	made->head = store_head(options->store);
	arena_init(&made->page, (size_t)256 << 20);
	arena_init(&made->kept, (size_t)512 << 20);
	buf_init(&made->result.projections, REPORT_MAX);
	fault_clear(&made->result.fault);
	if (start(made, &fault) != 0)
		made->result.fault = fault;
	if (made->running || made->result.fault.class != FAULT_NONE)
		return;
	free_rows(made);
	*rows = NULL;
}

void
shadow_rows_end(struct shadow_rows *rows, struct shadow_rows_result *result)
{
	*result = (struct shadow_rows_result){ .whole = true };
	fault_clear(&result->fault);
	buf_init(&result->projections, REPORT_MAX);
	if (rows == NULL)
		return;
	if (rows->running)
		pthread_join(rows->thread, NULL);
	*result = rows->result;
	free_rows(rows);
}
