/* SPDX-License-Identifier: MIT */
/*
 * `reload`, `plan` and `rollback`: the daemon's rules are changed, or it is told what a change would do. Without a
 * daemon the verb takes the store's lock and does the same in an engine of its own, for that one call.
 */
#include <stdio.h>

#include "base/json.h"
#include "daemon/door.h"
#include "daemon/print.h"
#include "daemon/verb.h"

#define OUT_MAX ((size_t)64 << 20)

static void
write_body(const struct call *call, const char *domain, struct buf *body)
{
	buf_byte(body, '{');
	if (domain != NULL) {
		json_key(body, "domain");
		json_quote(body, slice_text(domain));
	}
	if (call_has(call, OPTION_ALL)) {
		json_key(body, "all");
		buf_text(body, "true");
	}
	if (call_has(call, OPTION_PARTIAL)) {
		json_key(body, "partial");
		buf_text(body, "true");
	}
	if (call_has(call, OPTION_NO_SHADOW)) {
		json_key(body, "shadow");
		buf_text(body, "false");
	}
	if (call_has(call, OPTION_NO_SPECS)) {
		json_key(body, "specs");
		buf_text(body, "false");
	}
	if (call_has(call, OPTION_ACCEPT)) {
		json_key(body, "accept");
		json_quote(body, slice_text(call->values[OPTION_ACCEPT]));
	}
	buf_byte(body, '}');
}

static bool
member_is(struct json_value object, const char *key, const char *text)
{
	struct json_value member;

	return json_member(object, slice_text(key), &member) && member.kind == JSON_STRING &&
	       slice_equal(slice_from(member.raw.data + 1, member.raw.size - 2), slice_text(text));
}

/* The reports of an answer. Gives whether all were taken. */
static int
print_reports(const struct call *call, struct slice answer, bool *taken, struct fault *fault)
{
	struct json_value list, item;
	struct json_iter iter;
	struct slice key;
	struct buf out;

	if (json_check(answer, &list, fault) != 0)
		return -1;
	buf_init(&out, OUT_MAX);
	json_iter(&iter, list);
	while (json_next(&iter, &key, &item)) {
		if (member_is(item, "answer", "refused") || member_is(item, "answer", "failed"))
			*taken = false;
		if (call_has(call, OPTION_JSON))
			buf_format(&out, "%.*s\n", SLICE_ARG(item.raw));
		else
			print_json_text(item, &out);
	}
	print_out(&out);
	buf_fini(&out);
	return 0;
}

static enum exit_code
ask(struct call *call, const char *path)
{
	struct config config = { 0 };
	struct door door = { 0 };
	struct fault fault;
	struct buf body, answer;
	bool taken = true;
	int result = -1;

	buf_init(&body, OUT_MAX);
	buf_init(&answer, OUT_MAX);
	if (call_config(call, &config, &fault) == 0 && door_open(&door, &config, DOOR_ORDERS, &fault) == 0) {
		result = 0;
		for (size_t i = 0; result == 0 && (i == 0 || i < call->word_count); i++) {
			buf_clear(&body);
			buf_clear(&answer);
			write_body(call, i < call->word_count ? call->words[i] : NULL, &body);
			result = door_ask(&door, "POST", path, buf_slice(&body), &answer, &fault);
			if (result == 0)
				result = print_reports(call, buf_slice(&answer), &taken, &fault);
		}
	}
	door_close(&door);
	config_fini(&config);
	buf_fini(&body);
	buf_fini(&answer);
	if (result != 0)
		return exit_say(&fault);
	return taken ? EXIT_DONE : EXIT_FAILED;
}

enum exit_code
verb_reload(struct call *call)
{
	struct fault fault;

	if (call_has(call, OPTION_NO_SHADOW) && (call_has(call, OPTION_ALL) || call_has(call, OPTION_PARTIAL))) {
		fault_set(&fault, FAULT_INPUT, "usage", "--no-shadow asks no history: --%s says otherwise",
			  call_has(call, OPTION_ALL) ? "all" : "partial");
		return exit_say(&fault);
	}
	return ask(call, "/admin/reload");
}

enum exit_code
verb_plan(struct call *call)
{
	return ask(call, "/admin/plan");
}

enum exit_code
verb_rollback(struct call *call)
{
	return ask(call, "/admin/rollback");
}
