/* SPDX-License-Identifier: MIT */
/* `state`: folds a stream's events up to a version or a time and prints what the rules make of them. */
#include <stdio.h>

#include "core/load.h"
#include "daemon/moment.h"
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

static int
fold(struct state_ask *ask, struct buf *state_json, struct fault *fault)
{
	struct loading loading = { ask->reading->reader, ask->rules->machine, &ask->reading->arena, 0, false, NULL };
	struct recorded_entry entry;
	script_state state = 0;
	bool found;

	if (rules_aggregate(ask->rules, ask->name.aggregate, &loading.aggregate, fault) != 0 ||
	    load_stream(&loading, ask->name.whole, ask->last, &state, &ask->found, fault) != 0)
		return -1;
	int result = script_encode(ask->rules->machine, loading.aggregate, state, state_json, fault);
	script_state_release(ask->rules->machine, state);
	if (result != 0 || moment_event(ask->reading, ask->name.whole, ask->found, &entry, &found, fault) != 0)
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
	    stream_parse(slice_text(call->words[0]), &ask.name, &fault) != 0 ||
	    moment_version(&reading, call, OPTION_AT, ask.name.whole, &ask.last, &fault) != 0 ||
	    rules_find(&rules, &reading.config, reading.reader, ask.name.domain, &fault) != 0 ||
	    fold(&ask, &state, &fault) != 0 || print_state(&ask, buf_slice(&state), &out, &fault) != 0)
		code = exit_say(&fault);
	rules_close(&rules);
	reading_close(&reading);
	buf_fini(&state);
	buf_fini(&out);
	return code;
}
