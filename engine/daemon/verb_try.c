/* SPDX-License-Identifier: MIT */
/* `try`: what a command would do. The answer's own JSON is printed, or read aloud. */
#include <stdio.h>

#include "daemon/door.h"
#include "daemon/print.h"
#include "daemon/verb.h"

#define OUT_MAX ((size_t)64 << 20)

static int
make_body(const struct call *call, struct buf *body, struct fault *fault)
{
	struct json_value data;

	buf_text(body, "{\"stream\":");
	json_quote(body, slice_text(call->words[0]));
	json_key(body, "command");
	json_quote(body, slice_text(call->words[1]));
	if (call_has(call, OPTION_CALLER)) {
		json_key(body, "caller");
		json_quote(body, slice_text(call->values[OPTION_CALLER]));
	}
	if (call->word_count > 2) {
		if (json_check(slice_text(call->words[2]), &data, fault) != 0)
			return -1;
		json_key(body, "data");
		buf_add(body, data.raw);
	}
	buf_byte(body, '}');
	return 0;
}

static void
print_events(struct json_value result, struct buf *out)
{
	struct json_value events, event, type, data, stream;
	struct json_iter iter;
	struct slice key;

	if (!json_member(result, SLICE("events"), &events))
		return;
	json_iter(&iter, events);
	while (json_next(&iter, &key, &event)) {
		if (!json_member(event, SLICE("type"), &type) || !json_member(event, SLICE("data"), &data) ||
		    !json_member(event, SLICE("stream"), &stream))
			continue;
		buf_text(out, "  ");
		json_decode(stream, out);
		buf_text(out, "  ");
		json_decode(type, out);
		buf_format(out, "  %.*s\n", SLICE_ARG(data.raw));
	}
}

static void
print_member(struct json_value answer, const char *name, struct buf *out)
{
	struct json_value member;

	if (!json_member(answer, slice_text(name), &member) || member.kind == JSON_NULL)
		return;
	buf_format(out, "%s: ", name);
	if (member.kind == JSON_STRING)
		json_decode(member, out);
	else
		buf_add(out, member.raw);
	buf_byte(out, '\n');
}

static void
print_answer(struct json_value answer, struct buf *out)
{
	static const char *const members[] = { "outcome", "code", "message", "field", "details" };
	struct json_value result;

	for (size_t i = 0; i < countof(members); i++)
		print_member(answer, members[i], out);
	if (json_member(answer, SLICE("result"), &result) && result.kind == JSON_OBJECT) {
		print_events(result, out);
		print_member(result, "reply", out);
	}
}

/* Accepted 0, a fault of the input 65, everything else 1. */
static enum exit_code
code_of(struct json_value answer)
{
	struct json_value outcome;

	if (!json_member(answer, SLICE("outcome"), &outcome))
		return EXIT_FAILED;
	if (slice_equal(outcome.raw, SLICE("\"accepted\"")))
		return EXIT_DONE;
	return slice_equal(outcome.raw, SLICE("\"failed\"")) ? EXIT_BAD_DATA : EXIT_FAILED;
}

enum exit_code
verb_try(struct call *call)
{
	struct config config;
	struct door door = { 0 };
	struct json_value answer;
	struct buf body, out, text;
	struct fault fault;
	enum exit_code code;

	buf_init(&body, OUT_MAX);
	buf_init(&out, OUT_MAX);
	buf_init(&text, OUT_MAX);
	if (call_config(call, &config, &fault) != 0 || make_body(call, &body, &fault) != 0 ||
	    door_open(&door, &config, DOOR_TRIAL, &fault) != 0 ||
	    door_ask(&door, "POST", "/admin/try", buf_slice(&body), &out, &fault) != 0 ||
	    json_check(buf_slice(&out), &answer, &fault) != 0) {
		code = exit_say(&fault);
	} else if (call_has(call, OPTION_JSON)) {
		code = code_of(answer);
		buf_byte(&out, '\n');
		print_out(&out);
	} else {
		code = code_of(answer);
		print_answer(answer, &text);
		print_out(&text);
	}
	door_close(&door);
	config_fini(&config);
	buf_fini(&body);
	buf_fini(&out);
	buf_fini(&text);
	return code;
}
