/* SPDX-License-Identifier: MIT */
/* `timer list`: pending timers in the order of their due times, read beside the daemon. */
#include "core/timer.h"

#include <stdlib.h>

#include "daemon/print.h"
#include "daemon/reading.h"

#define OUT_MAX ((size_t)64 << 20)
#define PAGE    100
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

/* A row of the index stands for a timer unless that was moved or cancelled since. */
static int
add_due(struct reading *reading, struct slice domain, struct slice row, bool json, uint64_t *left, struct buf *out,
	struct fault *fault)
{
	struct record record = { .key = slice_from(row.data + DIGITS + 1, row.size - DIGITS - 1) };
	struct timer timer;
	bool found;

	if (store_read_record(reading->reader, timer_space(domain, &reading->arena), record.key, &reading->arena,
			      &record.value, &found, fault) != 0)
		return -1;
	if (!found || !timer_parse(&record, &timer) || strtoull(row.data, NULL, 10) != (uint64_t)timer.due_us)
		return 0;
	add_line(&timer, json, out);
	--*left;
	return 0;
}

static int
list_domain(struct reading *reading, struct slice domain, bool json, uint64_t *left, struct buf *out,
	    struct fault *fault)
{
	char last[STORE_KEY_MAX];
	struct slice after = SLICE_NONE;
	size_t count = PAGE;

	while (count == PAGE && *left != 0) {
		struct record *records;

		arena_clear(&reading->arena);
		if (store_list_records(reading->reader, timer_due_space(domain, &reading->arena), after, PAGE,
				       &reading->arena, &records, &count, fault) != 0)
			return -1;
		for (size_t i = 0; i < count && *left != 0; i++)
			if (records[i].key.size > DIGITS + 1 &&
			    add_due(reading, domain, records[i].key, json, left, out, fault) != 0)
				return -1;
		if (count != 0) {
			memcpy(last, records[count - 1].key.data, records[count - 1].key.size);
			after = slice_from(last, records[count - 1].key.size);
		}
	}
	return 0;
}

static int
list(struct reading *reading, uint64_t left, bool json, struct buf *out, struct fault *fault)
{
	char space[STORE_SPACE_MAX + 1];
	size_t prefix = sizeof(space_prefix) - 1, count;
	struct slice after = SLICE_NONE;
	struct slice *spaces;

	for (;;) {
		arena_clear(&reading->arena);
		if (store_list_spaces(reading->reader, slice_text(space_prefix), after, 1, &reading->arena, &spaces,
				      &count, fault) != 0)
			return -1;
		if (count == 0)
			return 0;
		memcpy(space, spaces[0].data, spaces[0].size);
		after = slice_from(space, spaces[0].size);
		if (list_domain(reading, slice_from(space + prefix, after.size - prefix), json, &left, out, fault) != 0)
			return -1;
	}
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
