/* SPDX-License-Identifier: MIT */
/* `stream list|show|tail`: pages of the store, read beside the daemon, printed as they come. */
#include <stdio.h>
#include <time.h>

#include "daemon/print.h"
#include "daemon/reading.h"
#include "daemon/tally.h"

#define PAGE_ENTRIES 500
#define PAGE_BYTES   ((size_t)4 << 20)
#define OUT_MAX      ((size_t)256 << 20)
#define TAIL_LINES   10
#define POLL_NS      200000000L

static int
finish(struct buf *out, struct fault *fault)
{
	if (out->failed)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a page of output");
	print_out(out);
	return 0;
}

/* ---- list ---- */

static void
list_one(const struct tally_stream *stream, bool json, struct buf *out)
{
	if (json) {
		buf_text(out, "{\"stream\":");
		json_quote(out, stream->name);
		buf_format(out, ",\"version\":%llu}\n", (unsigned long long)stream->version);
	} else {
		buf_format(out, "%8llu  %.*s\n", (unsigned long long)stream->version, SLICE_ARG(stream->name));
	}
}

static int
list(const struct call *call, struct reading *reading, struct buf *out, struct fault *fault)
{
	struct slice prefix = slice_text(call->word_count > 0 ? call->words[0] : "");
	struct tally tally;
	uint64_t limit;
	int result;

	if (call_number(call, OPTION_LIMIT, UINT64_MAX, &limit, fault) != 0)
		return -1;
	result = tally_streams(reading->reader, prefix, &tally, fault);
	for (size_t i = 0; i < tally.count && i < limit && result == 0; i++) {
		list_one(&tally.streams[i], call_has(call, OPTION_JSON), out);
		if ((i + 1) % PAGE_ENTRIES == 0)
			result = finish(out, fault);
	}
	tally_free(&tally);
	return result == 0 ? finish(out, fault) : -1;
}

/* ---- show ---- */

static void
print_one(const struct call *call, const struct recorded_entry *entry, bool with_stream, struct buf *out)
{
	if (call_has(call, OPTION_JSON)) {
		print_entry_json(entry, out);
		buf_byte(out, '\n');
	} else {
		print_entry_line(entry, with_stream, out);
	}
}

static int
show(const struct call *call, struct reading *reading, struct buf *out, struct fault *fault)
{
	struct stream_name name;
	uint64_t from, left;

	if (stream_parse(slice_text(call->words[0]), &name, fault) != 0 ||
	    call_number(call, OPTION_FROM, 1, &from, fault) != 0 ||
	    call_number(call, OPTION_LIMIT, UINT64_MAX, &left, fault) != 0)
		return -1;
	from += from == 0;
	while (left > 0) {
		struct read_limit limit = { left < PAGE_ENTRIES ? (size_t)left : PAGE_ENTRIES, PAGE_BYTES };
		struct entries entries;
		stream_version version;
		arena_clear(&reading->arena);
		if (store_read_stream(reading->reader, name.whole, from, limit, &reading->arena, &entries, &version,
				      fault) != 0)
			return -1;
		if (version == 0)
			return fault_set(fault, FAULT_INPUT, "no_such_stream", "there is no stream %s", call->words[0]);
		for (size_t i = 0; i < entries.count; i++)
			print_one(call, &entries.items[i], false, out);
		if (finish(out, fault) != 0)
			return -1;
		if (entries.count == 0)
			break;
		left -= entries.count;
		from += entries.count;
	}
	return 0;
}

/* ---- tail ---- */

struct tail {
	const struct call *call;
	struct reading *reading;
	struct log_filter filter;
	log_position after;
	uint64_t skip; /* entries not printed, to show only the last ones */
	uint64_t count;
};

/* Reads to the end of the log; prints unless `out` is NULL. */
static int
tail_to_end(struct tail *tail, struct buf *out, struct fault *fault)
{
	struct read_limit limit = { PAGE_ENTRIES, PAGE_BYTES };

	for (;;) {
		struct entries entries;
		log_position seen, before = tail->after;
		arena_clear(&tail->reading->arena);
		if (store_read_log(tail->reading->reader, tail->after, &tail->filter, limit, &tail->reading->arena,
				   &entries, &seen, fault) != 0)
			return -1;
		for (size_t i = 0; i < entries.count; i++, tail->count++) {
			if (out != NULL && tail->count >= tail->skip)
				print_one(tail->call, &entries.items[i], true, out);
		}
		tail->after = seen;
		if (out != NULL && finish(out, fault) != 0)
			return -1;
		if (seen == before)
			return 0;
	}
}

/* Looks further and further back until `lines` entries that pass the filter lie behind the position. */
static int
find_start(struct tail *tail, uint64_t lines, struct fault *fault)
{
	log_position head = store_head(tail->reading->store);

	for (uint64_t window = lines;; window *= 4) {
		log_position start = head > window ? head - window : 0;
		tail->after = start;
		tail->count = 0;
		if (tail_to_end(tail, NULL, fault) != 0)
			return -1;
		tail->after = start;
		if (tail->count >= lines || start == 0 || window > UINT64_MAX / 4)
			break;
	}
	tail->skip = tail->count > lines ? tail->count - lines : 0;
	tail->count = 0;
	return 0;
}

static int
tail(const struct call *call, struct reading *reading, struct buf *out, struct fault *fault)
{
	struct timespec pause = { .tv_nsec = POLL_NS };
	struct tail state = { .call = call, .reading = reading };
	uint64_t lines;

	state.filter.stream_prefix = slice_text(call->word_count > 0 ? call->words[0] : "");
	if (call_number(call, OPTION_AFTER, 0, &state.after, fault) != 0 ||
	    call_number(call, OPTION_LINES, TAIL_LINES, &lines, fault) != 0)
		return -1;
	if (!call_has(call, OPTION_AFTER) && find_start(&state, lines, fault) != 0)
		return -1;
	for (;;) {
		if (tail_to_end(&state, out, fault) != 0)
			return -1;
		if (call_has(call, OPTION_ONCE))
			return 0;
		if (fflush(stdout) != 0)
			return 0;
		nanosleep(&pause, NULL);
	}
}

static enum exit_code
run(struct call *call, int (*verb)(const struct call *, struct reading *, struct buf *, struct fault *))
{
	struct reading reading;
	struct buf out;
	struct fault fault;
	enum exit_code code = EXIT_DONE;

	buf_init(&out, OUT_MAX);
	if (reading_open(call, &reading, &fault) != 0 || verb(call, &reading, &out, &fault) != 0)
		code = exit_say(&fault);
	reading_close(&reading);
	buf_fini(&out);
	return code;
}

enum exit_code
verb_stream_list(struct call *call)
{
	return run(call, list);
}

enum exit_code
verb_stream_show(struct call *call)
{
	return run(call, show);
}

enum exit_code
verb_stream_tail(struct call *call)
{
	return run(call, tail);
}
