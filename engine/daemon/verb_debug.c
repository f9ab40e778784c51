/* SPDX-License-Identifier: MIT */
/*
 * `debug`: a stream event by event - what was recorded, each step of its upcasters, the state before and after, the
 * rows and messages it caused - and a search for the first event after which something holds. Every event is looked at:
 * what is asked need not stay true once it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/debug_rows.h"
#include "daemon/debug_show.h"
#include "daemon/moment.h"
#include "daemon/print.h"
#include "daemon/rules.h"
#include "script/lua/predicate.h"

/* Beside a daemon every page looks through the end of the log that has no index yet: few and large ones. */
#define PAGE_ENTRIES 32768
#define PAGE_BYTES   ((size_t)24 << 20)
#define FOLD_ENTRIES 512 /* in one call, which has a limit of time */
#define STATE_MAX    ((size_t)64 << 20)
#define OUT_MAX      ((size_t)256 << 20)
#define ROWS_EVENTS  10000 /* made before the first one shown; the rows in memory are no match for more */

struct debug {
	const struct call *call;
	struct reading reading;
	struct rules rules;
	struct stream_name name;
	uint16_t aggregate;
	stream_version from;
	stream_version to;
	bool json;
	bool colour;
	script_state state;
	struct buf base; /* a state that a search came by, and the version it stands at; 0: none */
	stream_version base_version;
	struct buf before;
	struct buf after;
	struct buf out;
	struct arena arena; /* of the event at hand */
	struct debug_rows rows;
	bool rows_known;
	struct debug_row *changed;
	size_t changed_count;
	size_t changed_room;
	bool lost; /* no memory for a row */
};

static int
read_page(struct debug *debug, stream_version from, stream_version to, struct entries *page, struct fault *fault)
{
	struct read_limit limit = { to - from + 1 < PAGE_ENTRIES ? (size_t)(to - from + 1) : PAGE_ENTRIES, PAGE_BYTES };
	stream_version end;

	arena_clear(&debug->reading.arena);
	return store_read_stream(debug->reading.reader, debug->name.whole, from, limit, &debug->reading.arena, page,
				 &end, fault);
}

/* ---- where to begin ---- */

/* The state before version `from`. */
static int
open_state(struct debug *debug, stream_version from, struct fault *fault)
{
	struct entries page;

	if (debug->base_version >= from)
		debug->base_version = 0;
	if (debug->base_version != 0
		    ? script_decode(debug->rules.machine, debug->aggregate, buf_slice(&debug->base), &debug->state,
				    fault) != 0
		    : script_initial(debug->rules.machine, debug->aggregate, &debug->state, fault) != 0)
		return -1;
	for (stream_version at = debug->base_version + 1; at < from; at += page.count) {
		size_t folded = 0;
		if (read_page(debug, at, from - 1, &page, fault) != 0)
			return -1;
		if (page.count == 0)
			break;
		for (size_t done = 0; done < page.count; done += folded) {
			size_t count = page.count - done < FOLD_ENTRIES ? page.count - done : FOLD_ENTRIES;
			if (script_fold(debug->rules.machine, debug->aggregate, debug->state, page.items + done, count,
					&folded, fault) != 0)
				return -1;
		}
	}
	return 0;
}

static void
close_state(struct debug *debug)
{
	if (debug->state != 0)
		script_state_release(debug->rules.machine, debug->state);
	debug->state = 0;
}

static int
open_rows(struct debug *debug, stream_version from, struct fault *fault)
{
	struct entries page;

	if (debug_rows_open(&debug->rows, &debug->rules, fault) != 0)
		return -1;
	debug->rows_known = from <= ROWS_EVENTS;
	for (stream_version at = 1; debug->rows_known && at < from; at += page.count) {
		if (read_page(debug, at, from - 1, &page, fault) != 0)
			return -1;
		if (page.count == 0)
			break;
		debug_rows_past(&debug->rows, page.items, page.count);
	}
	return 0;
}

/* ---- one event ---- */

static struct debug_row *
add_row(struct debug *debug, struct slice projection)
{
	if (debug->changed_count == debug->changed_room) {
		size_t room = debug->changed_room != 0 ? debug->changed_room * 2 : 16;
		struct debug_row *wider = realloc(debug->changed, room * sizeof(*wider));
		debug->lost = debug->lost || wider == NULL;
		if (wider == NULL)
			return NULL;
		debug->changed = wider;
		debug->changed_room = room;
	}
	debug->changed[debug->changed_count] = (struct debug_row){ .projection = projection };
	return &debug->changed[debug->changed_count++];
}

static struct slice
keep(struct debug *debug, struct slice text)
{
	struct slice copy = text.size != 0 ? arena_copy(&debug->arena, text) : SLICE_NONE;

	debug->lost = debug->lost || (text.size != 0 && copy.data == NULL);
	return copy;
}

static void
keep_row(void *self, struct slice projection, struct slice table, struct slice before, struct slice after)
{
	struct debug_row *row = add_row(self, projection);

	if (row == NULL)
		return;
	row->table = table;
	row->before = keep(self, before);
	row->after = keep(self, after);
}

static void
keep_failure(void *self, struct slice projection, const struct fault *fault)
{
	struct debug_row *row = add_row(self, projection);

	if (row != NULL)
		row->failure = keep(self, slice_text(fault->text));
}

static int
encode(struct debug *debug, struct buf *out, struct fault *fault)
{
	buf_clear(out);
	return script_encode(debug->rules.machine, debug->aggregate, debug->state, out, fault);
}

/* The fold's own failure is part of what is shown: *failed. */
static int
gather(struct debug *debug, struct debug_event *event, struct fault *upcast, struct fault *failed, struct fault *fault)
{
	const struct debug_rows_sink sink = { keep_row, keep_failure, debug };
	const struct recorded_entry *entry = event->entry;
	log_position seen;
	size_t folded = 0;

	if (encode(debug, &debug->before, fault) != 0)
		return -1;
	if (script_upcast(debug->rules.machine, debug->aggregate, entry, UPCAST_STEPS, &debug->arena, &event->pieces,
			  upcast) != 0)
		event->upcast_fault = upcast;
	if (script_fold(debug->rules.machine, debug->aggregate, debug->state, entry, 1, &folded, failed) != 0)
		event->fold_fault = failed;
	else if (encode(debug, &debug->after, fault) != 0)
		return -1;
	event->before = buf_slice(&debug->before);
	event->after = event->fold_fault == NULL ? buf_slice(&debug->after) : SLICE_NONE;
	debug->changed_count = 0;
	if (debug->rows_known && debug_rows_entry(&debug->rows, entry, &sink, fault) != 0)
		return -1;
	event->rows_known = debug->rows_known;
	event->rows = debug->changed;
	event->row_count = debug->changed_count;
	return store_read_log(debug->reading.reader, entry->commit_first - 1, NULL,
			      (struct read_limit){ entry->commit_size, 0 }, &debug->arena, &event->commit, &seen,
			      fault);
}

/* Fails with the fold's fault after the event was shown: there is no state to go on with. */
static int
show_event(struct debug *debug, const struct recorded_entry *entry, struct fault *fault)
{
	struct debug_event event = { .entry = entry };
	struct fault upcast, failed;

	arena_clear(&debug->arena);
	if (gather(debug, &event, &upcast, &failed, fault) != 0)
		return -1;
	if (debug->json)
		debug_show_json(&event, &debug->out);
	else
		debug_show_text(&event, debug->colour, &debug->out);
	if (debug->out.failed || debug->lost)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to show version %llu",
				 (unsigned long long)entry->version);
	print_out(&debug->out);
	if (event.fold_fault != NULL)
		*fault = failed;
	return event.fold_fault != NULL ? -1 : 0;
}

static int
show(struct debug *debug, struct fault *fault)
{
	struct entries page;

	if (open_state(debug, debug->from, fault) != 0 || open_rows(debug, debug->from, fault) != 0)
		return -1;
	for (stream_version at = debug->from; at <= debug->to; at += page.count) {
		if (read_page(debug, at, debug->to, &page, fault) != 0)
			return -1;
		if (page.count == 0)
			break;
		for (size_t i = 0; i < page.count; i++)
			if (show_event(debug, &page.items[i], fault) != 0)
				return -1;
	}
	return 0;
}

/* ---- the search ---- */

static int
search_page(struct debug *debug, struct moon_predicate *predicate, const struct entries *page, stream_version *hit,
	    struct fault *fault)
{
	for (size_t i = 0; i < page->count && *hit == 0; i++) {
		const struct recorded_entry *entry = &page->items[i];
		size_t folded = 0;
		bool holds;
		if (script_fold(debug->rules.machine, debug->aggregate, debug->state, entry, 1, &folded, fault) != 0)
			return -1;
		if (moon_predicate_holds(predicate, debug->state, entry, &holds, fault) != 0)
			return fault_prefix(fault, "version %llu", (unsigned long long)entry->version);
		if (holds)
			*hit = entry->version;
	}
	return 0;
}

/* *hit 0: it never holds. */
static int
search(struct debug *debug, const char *text, stream_version *hit, struct fault *fault)
{
	struct moon_predicate *predicate = NULL;
	struct entries page;
	int result = 0;

	*hit = 0;
	if (moon_predicate_open(debug->rules.machine, slice_text(text), &predicate, fault) != 0 ||
	    open_state(debug, debug->from, fault) != 0)
		result = -1;
	for (stream_version at = debug->from; result == 0 && *hit == 0 && at <= debug->to; at += page.count) {
		result = read_page(debug, at, debug->to, &page, fault);
		if (result != 0 || page.count == 0)
			break;
		result = encode(debug, &debug->base, fault);
		debug->base_version = at - 1;
		if (result == 0)
			result = search_page(debug, predicate, &page, hit, fault);
	}
	moon_predicate_close(predicate);
	close_state(debug);
	return result;
}

static int
bisect(struct debug *debug, const char *text, enum exit_code *code, struct fault *fault)
{
	stream_version hit;

	if (search(debug, text, &hit, fault) != 0)
		return -1;
	if (hit != 0) {
		debug->from = debug->to = hit;
		return show(debug, fault);
	}
	*code = EXIT_FAILED;
	if (debug->json)
		printf("null\n");
	else
		printf("it holds after none of the versions %llu to %llu\n", (unsigned long long)debug->from,
		       (unsigned long long)debug->to);
	return 0;
}

/* ---- the verb ---- */

static int
choose(struct debug *debug, struct fault *fault)
{
	const struct call *call = debug->call;
	bool at = call_has(call, OPTION_AT);

	if (at && (call_has(call, OPTION_FROM) || call_has(call, OPTION_TO) || call_has(call, OPTION_BISECT)))
		return fault_set(fault, FAULT_INPUT, "usage", "--at shows one event and goes with no other choice");
	debug->from = 1;
	if (moment_version(&debug->reading, call, at ? OPTION_AT : OPTION_TO, debug->name.whole, &debug->to, fault) !=
	    0)
		return -1;
	if (at)
		debug->from = debug->to;
	else if (call_has(call, OPTION_FROM) &&
		 moment_version(&debug->reading, call, OPTION_FROM, debug->name.whole, &debug->from, fault) != 0)
		return -1;
	if (debug->from > debug->to)
		return fault_set(fault, FAULT_INPUT, "usage", "--from lies behind --to");
	return 0;
}

static int
open(struct debug *debug, struct call *call, struct fault *fault)
{
	const char *folder = call->word_count > 1 ? call->words[1] : NULL;

	if (reading_open(call, &debug->reading, fault) != 0 ||
	    stream_parse(slice_text(call->words[0]), &debug->name, fault) != 0 || choose(debug, fault) != 0)
		return -1;
	int result = folder != NULL
			     ? rules_from_named(&debug->rules, &debug->reading.config, folder, &debug->name, fault)
			     : rules_find(&debug->rules, &debug->reading.config, debug->reading.reader,
					  debug->name.domain, fault);
	return result == 0 ? rules_aggregate(&debug->rules, debug->name.aggregate, &debug->aggregate, fault) : -1;
}

enum exit_code
verb_debug(struct call *call)
{
	struct debug debug = { .call = call, .json = call_has(call, OPTION_JSON) };
	enum exit_code code = EXIT_DONE;
	struct fault fault;
	int result;

	debug.colour = !debug.json && isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == NULL;
	buf_init(&debug.base, STATE_MAX);
	buf_init(&debug.before, STATE_MAX);
	buf_init(&debug.after, STATE_MAX);
	buf_init(&debug.out, OUT_MAX);
	arena_init(&debug.arena, OUT_MAX);
	result = open(&debug, call, &fault);
	if (result == 0)
		result = call_has(call, OPTION_BISECT) ? bisect(&debug, call->values[OPTION_BISECT], &code, &fault)
						       : show(&debug, &fault);
	if (result != 0) {
		fflush(stdout);
		code = exit_say(&fault);
	}
	close_state(&debug);
	debug_rows_close(&debug.rows);
	rules_close(&debug.rules);
	reading_close(&debug.reading);
	buf_fini(&debug.base);
	buf_fini(&debug.before);
	buf_fini(&debug.after);
	buf_fini(&debug.out);
	arena_fini(&debug.arena);
	free(debug.changed);
	return code;
}
