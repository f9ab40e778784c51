/* SPDX-License-Identifier: MIT */
/* `relay status|pause|resume|rebuild`: how far messages are out, and orders to what sends them. The daemon's alone. */
#include <stdio.h>
#include <time.h>

#include "daemon/client.h"
#include "daemon/print.h"
#include "daemon/verb.h"

#define OUT_MAX   ((size_t)1 << 20)
#define LOOK_NS   50000000L
#define LOOKS_MAX 600

static bool
is_pending(struct slice answer)
{
	struct json_value object, pending;

	return json_check(answer, &object, NULL) == 0 && object.kind == JSON_OBJECT &&
	       json_member(object, SLICE("pending"), &pending);
}

static bool
is_stopped(struct slice answer)
{
	struct json_value object, state;

	return json_check(answer, &object, NULL) == 0 && object.kind == JSON_OBJECT &&
	       json_member(object, SLICE("state"), &state) && slice_equal(state.raw, SLICE("\"stopped\""));
}

static int
print_answer(const struct call *call, struct buf *answer, struct fault *fault)
{
	struct json_value value;
	struct buf text;

	if (json_check(buf_slice(answer), &value, fault) != 0)
		return -1;
	if (value.kind != JSON_OBJECT)
		return fault_set(fault, FAULT_INPUT, "no_relay", "there is no relay: nothing is sent");
	buf_init(&text, OUT_MAX);
	if (call_has(call, OPTION_JSON))
		buf_format(&text, "%.*s\n", SLICE_ARG(value.raw));
	else
		print_json_text(value, &text);
	print_out(&text);
	buf_fini(&text);
	return 0;
}

/* Until something has come of the order. */
static int
wait_for(const char *directory, struct buf *answer, struct fault *fault)
{
	struct timespec pause = { .tv_nsec = LOOK_NS };

	for (int looks = 0; is_pending(buf_slice(answer)) && looks < LOOKS_MAX; looks++) {
		nanosleep(&pause, NULL);
		buf_clear(answer);
		if (client_ask(directory, "GET", "/admin/relay", SLICE_NONE, answer, fault) != 0)
			return -1;
	}
	return 0;
}

static enum exit_code
run(struct call *call, const char *method, const char *path, struct slice body)
{
	struct config config = { 0 };
	const char *directory;
	struct fault fault;
	struct buf answer;
	enum exit_code code = EXIT_DONE;

	buf_init(&answer, OUT_MAX);
	if (call_config(call, &config, &fault) != 0 || call_data(&config, &directory, &fault) != 0 ||
	    client_ask(directory, method, path, body, &answer, &fault) != 0 ||
	    wait_for(directory, &answer, &fault) != 0)
		code = exit_say(&fault);
	else if (is_stopped(buf_slice(&answer)))
		code = EXIT_FAILED;
	if (answer.size != 0 && print_answer(call, &answer, &fault) != 0)
		code = exit_say(&fault);
	config_fini(&config);
	buf_fini(&answer);
	return code;
}

enum exit_code
verb_relay_status(struct call *call)
{
	return run(call, "GET", "/admin/relay", SLICE_NONE);
}

enum exit_code
verb_relay_pause(struct call *call)
{
	return run(call, "POST", "/admin/relay/pause", SLICE_NONE);
}

enum exit_code
verb_relay_resume(struct call *call)
{
	return run(call, "POST", "/admin/relay/resume", SLICE_NONE);
}

enum exit_code
verb_relay_rebuild(struct call *call)
{
	char body[128] = "{";
	struct fault fault;
	uint64_t from;

	if (call_number(call, OPTION_FROM, 0, &from, &fault) != 0)
		return exit_say(&fault);
	if (call_has(call, OPTION_FROM))
		snprintf(body, sizeof(body), "{\"from\":%llu%s", (unsigned long long)from,
			 call_has(call, OPTION_NEW_INCARNATION) ? "," : "");
	strcat(body, call_has(call, OPTION_NEW_INCARNATION) ? "\"new_incarnation\":true}" : "}");
	return run(call, "POST", "/admin/relay/rebuild", slice_text(body));
}
