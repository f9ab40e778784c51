/* SPDX-License-Identifier: MIT */
/* `timer list`: pending timers in the order of their due times, read beside the daemon. */
#include "core/timer.h"

#include <stdlib.h>

#include "daemon/print.h"
#include "daemon/reading.h"

#define OUT_MAX ((size_t)64 << 20)
#define DIGITS  20

static const char space_prefix[] = "timer_due/";

static void
add_line(const struct timer *timer, bool json, struct buf *out)
{
	char due[CLOCK_TEXT_SIZE];

	clock_format(timer->due_us, due);
	if (json) {
		buf_text(out, "{\"stream\":");
		json_quote(out, timer->stream);
		buf_text(out, ",\"name\":");
		json_quote(out, timer->name);
		buf_format(out, ",\"due\":\"%s\",\"data\":%.*s}\n", due, SLICE_ARG(timer->data));
		return;
	}
	buf_format(out, "%s  %.*s  %.*s  %.*s\n", due, SLICE_ARG(timer->stream), SLICE_ARG(timer->name),
		   SLICE_ARG(timer->data));
}

struct listing {
	struct reading *reading;
	struct slice domain;
	bool json;
	uint64_t left;
	struct buf *out;
};

/* A row of the index stands for a timer unless that was moved or cancelled since. */
static int
add_due(void *self, const struct record *row, struct fault *fault)
{
	struct listing *listing = self;
	struct reading *reading = listing->reading;
	struct record record = { 0 };
	struct timer timer;
	bool found;

	if (row->key.size <= DIGITS + 1)
		return 0;
	record.key = slice_from(row->key.data + DIGITS + 1, row->key.size - DIGITS - 1);
	if (store_read_record(reading->reader, timer_space(listing->domain, &reading->arena), record.key,
			      &reading->arena, &record.value, &found, fault) != 0)
		return -1;
	if (!found || !timer_parse(&record, &timer) || strtoull(row->key.data, NULL, 10) != (uint64_t)timer.due_us)
		return 0;
	add_line(&timer, listing->json, listing->out);
	return --listing->left == 0;
}

static int
list_space(void *self, struct slice space, struct fault *fault)
{
	struct listing *listing = self;
	size_t prefix = sizeof(space_prefix) - 1;

	listing->domain = slice_from(space.data + prefix, space.size - prefix);
	return reading_records(listing->reading, space, add_due, self, fault);
}

static int
list(struct reading *reading, uint64_t most, bool json, struct buf *out, struct fault *fault)
{
	struct listing listing = { .reading = reading, .json = json, .left = most, .out = out };

	return most != 0 && reading_spaces(reading, space_prefix, list_space, &listing, fault) < 0 ? -1 : 0;
}

enum exit_code
verb_timer_list(struct call *call)
{
	struct reading reading = { 0 };
	struct fault fault;
	uint64_t limit;
	struct buf out;
	enum exit_code code = EXIT_DONE;

	buf_init(&out, OUT_MAX);
	if (call_number(call, OPTION_LIMIT, 1000, &limit, &fault) != 0 || reading_open(call, &reading, &fault) != 0 ||
	    list(&reading, limit, call_has(call, OPTION_JSON), &out, &fault) != 0)
		code = exit_say(&fault);
	else
		print_out(&out);
	reading_close(&reading);
	buf_fini(&out);
	return code;
}
