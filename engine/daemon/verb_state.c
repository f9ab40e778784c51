/* SPDX-License-Identifier: MIT */
/* `state`: folds a stream's events up to a version or a time and prints what the rules make of them. */
#include <stdio.h>

#include "core/load.h"
#include "daemon/print.h"
#include "daemon/reading.h"
#include "daemon/rules.h"

#define OUT_MAX ((size_t)64 << 20)

struct state_ask {
	const struct call *call;
	struct reading *reading;
	struct rules *rules;
	struct stream_name name;
	stream_version last;  /* fold no further; 0: to the end */
	stream_version found; /* the state stands at */
	int64_t at_us;        /* recorded_at of that event */
};

/* The event of one version. *found false when the stream ends before it. */
static int
read_one(struct state_ask *ask, stream_version version, struct recorded_entry *entry, bool *found, struct fault *fault)
{
	struct read_limit limit = { .entries = 1 };
	struct entries entries;
	stream_version end;

	arena_clear(&ask->reading->arena);
	if (store_read_stream(ask->reading->reader, ask->name.whole, version, limit, &ask->reading->arena, &entries,
			      &end, fault) != 0)
		return -1;
	*found = entries.count == 1;
	if (*found)
		*entry = entries.items[0];
	return 0;
}

static int
no_stream(const struct state_ask *ask, const char *when, struct fault *fault)
{
	return fault_set(fault, FAULT_INPUT, "no_such_stream", "there is no stream %.*s%s%s",
			 SLICE_ARG(ask->name.whole), *when != '\0' ? " at " : "", when);
}

/* The last version recorded at or before a time: versions and positions grow together. */
static int
version_at(struct state_ask *ask, stream_version end, const char *when, struct fault *fault)
{
	stream_version low = 0, high = end;
	log_position position;
	int64_t wall_us;

	if (clock_parse(when, &wall_us) != 0)
		return fault_set(fault, FAULT_INPUT, "usage", "--at wants a version or a time, got \"%s\"", when);
	if (store_position_at(ask->reading->reader, wall_us, &position, fault) != 0)
		return -1;
	while (low < high) {
		stream_version middle = low + (high - low + 1) / 2;
		struct recorded_entry entry;
		bool found;
		if (read_one(ask, middle, &entry, &found, fault) != 0)
			return -1;
		if (found && entry.position <= position)
			low = middle;
		else
			high = middle - 1;
	}
	ask->last = low;
	return low != 0 ? 0 : no_stream(ask, when, fault);
}

static int
choose_version(struct state_ask *ask, struct fault *fault)
{
	struct read_limit limit = { .entries = 1 };
	struct entries entries;
	stream_version end;
	const char *at = ask->call->values[OPTION_AT];

	if (store_read_stream(ask->reading->reader, ask->name.whole, UINT64_MAX, limit, &ask->reading->arena, &entries,
			      &end, fault) != 0)
		return -1;
	if (end == 0)
		return no_stream(ask, "", fault);
	ask->last = end;
	if (at == NULL)
		return 0;
	if (!slice_to_u64(slice_text(at), &ask->last))
		return version_at(ask, end, at, fault);
	if (ask->last == 0 || ask->last > end)
		return fault_set(fault, FAULT_INPUT, "no_such_stream", "%.*s has versions 1 to %llu, not %s",
				 SLICE_ARG(ask->name.whole), (unsigned long long)end, at);
	return 0;
}

static int
fold(struct state_ask *ask, struct buf *state_json, struct fault *fault)
{
	struct loading loading = { ask->reading->reader, ask->rules->machine, &ask->reading->arena, 0 };
	struct recorded_entry entry;
	script_state state = 0;
	bool found;

	if (rules_aggregate(ask->rules, ask->name.aggregate, &loading.aggregate, fault) != 0 ||
	    load_stream(&loading, ask->name.whole, ask->last, &state, &ask->found, fault) != 0)
		return -1;
	int result = script_encode(ask->rules->machine, loading.aggregate, state, state_json, fault);
	script_state_release(ask->rules->machine, state);
	if (result != 0 || read_one(ask, ask->found, &entry, &found, fault) != 0)
		return -1;
	ask->at_us = found ? entry.recorded_at_us : 0;
	return 0;
}

static int
print_state(const struct state_ask *ask, struct slice state_json, struct buf *out, struct fault *fault)
{
	char time[CLOCK_TEXT_SIZE];
	struct json_value state;

	clock_format(ask->at_us, time);
	if (call_has(ask->call, OPTION_JSON)) {
		buf_text(out, "{\"stream\":");
		json_quote(out, ask->name.whole);
		buf_format(out, ",\"version\":%llu,\"time\":\"%s\",\"state\":%.*s}\n", (unsigned long long)ask->found,
			   time, SLICE_ARG(state_json));
		print_out(out);
		return 0;
	}
	if (json_check(state_json, &state, fault) != 0)
		return -1;
	buf_format(out, "%.*s  version %llu  %s\n", SLICE_ARG(ask->name.whole), (unsigned long long)ask->found, time);
	print_json_text(state, out);
	print_out(out);
	return 0;
}

enum exit_code
verb_state(struct call *call)
{
	struct reading reading;
	struct rules rules = { 0 };
	struct state_ask ask = { .call = call, .reading = &reading, .rules = &rules };
	struct buf state, out;
	struct fault fault;
	enum exit_code code = EXIT_DONE;

	buf_init(&state, OUT_MAX);
	buf_init(&out, 2 * OUT_MAX);
	if (reading_open(call, &reading, &fault) != 0 ||
	    stream_parse(slice_text(call->words[0]), &ask.name, &fault) != 0 || choose_version(&ask, &fault) != 0 ||
	    rules_find(&rules, &reading.config, reading.reader, ask.name.domain, &fault) != 0 ||
	    fold(&ask, &state, &fault) != 0 || print_state(&ask, buf_slice(&state), &out, &fault) != 0)
		code = exit_say(&fault);
	rules_close(&rules);
	reading_close(&reading);
	buf_fini(&state);
	buf_fini(&out);
	return code;
}
