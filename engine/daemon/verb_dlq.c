/* SPDX-License-Identifier: MIT */
/* `dlq list|show|retry|drop|skip`: dead letters as the store has them, beside the daemon; orders to them go to it. */
#include <stdio.h>

#include "core/dead.h"
#include "daemon/client.h"
#include "daemon/print.h"
#include "daemon/reading.h"

#define OUT_MAX ((size_t)64 << 20)

static const char space_prefix[] = "dead/";

struct listing {
	struct reading *reading;
	bool json;
	struct buf *out;
};

static int
add_line(void *self, const struct record *record, struct fault *fault)
{
	const struct listing *listing = self;
	struct dead_letter letter;

	if (listing->json) {
		buf_format(listing->out, "%.*s\n", SLICE_ARG(record->value));
		return 0;
	}
	if (dead_parse(record->value, &listing->reading->arena, &letter, fault) != 0)
		return -1;
	buf_format(listing->out, "%.*s  %.*s  %.*s  key %.*s  %llu tries  %s%.*s: %.*s\n", SLICE_ARG(letter.consumer),
		   SLICE_ARG(record->key), SLICE_ARG(letter.type), SLICE_ARG(letter.key),
		   (unsigned long long)letter.attempts, letter.parked.size != 0 ? "parked, " : "",
		   SLICE_ARG(letter.code), SLICE_ARG(letter.text));
	return 0;
}

static int
list_space(void *self, struct slice space, struct fault *fault)
{
	const struct listing *listing = self;

	return reading_records(listing->reading, space, add_line, self, fault);
}

/* Those of one reactor, or all. */
static int
list(struct reading *reading, const char *reactor, bool json, struct buf *out, struct fault *fault)
{
	struct listing listing = { reading, json, out };
	char space[STORE_SPACE_MAX + 1];

	if (reactor == NULL)
		return reading_spaces(reading, space_prefix, list_space, &listing, fault);
	if (snprintf(space, sizeof(space), "%s%s", space_prefix, reactor) >= (int)sizeof(space))
		return fault_set(fault, FAULT_INPUT, "no_such_reactor", "no reactor has so long a name");
	return list_space(&listing, slice_text(space), fault);
}

enum exit_code
verb_dlq_list(struct call *call)
{
	struct reading reading;
	struct fault fault;
	struct buf out;
	enum exit_code code = EXIT_DONE;

	buf_init(&out, OUT_MAX);
	if (reading_open(call, &reading, &fault) != 0 || list(&reading, call->word_count != 0 ? call->words[0] : NULL,
							      call_has(call, OPTION_JSON), &out, &fault) != 0)
		code = exit_say(&fault);
	else
		print_out(&out);
	reading_close(&reading);
	buf_fini(&out);
	return code;
}

static int
show(struct reading *reading, const char *reactor, const char *key, bool json, struct buf *out, struct fault *fault)
{
	struct slice space = arena_format(&reading->arena, "%s%s", space_prefix, reactor), value;
	struct json_value letter;
	bool found;

	if (space.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a dead letter");
	if (store_read_record(reading->reader, space, slice_text(key), &reading->arena, &value, &found, fault) != 0)
		return -1;
	if (!found)
		return fault_set(fault, FAULT_INPUT, "no_such_letter", "%s has no dead letter %s", reactor, key);
	if (json) {
		buf_format(out, "%.*s\n", SLICE_ARG(value));
		return 0;
	}
	if (json_check(value, &letter, fault) != 0)
		return -1;
	print_json_text(letter, out);
	return 0;
}

enum exit_code
verb_dlq_show(struct call *call)
{
	struct reading reading;
	struct fault fault;
	struct buf out;
	enum exit_code code = EXIT_DONE;

	buf_init(&out, OUT_MAX);
	if (reading_open(call, &reading, &fault) != 0 ||
	    show(&reading, call->words[0], call->words[1], call_has(call, OPTION_JSON), &out, &fault) != 0)
		code = exit_say(&fault);
	else
		print_out(&out);
	reading_close(&reading);
	buf_fini(&out);
	return code;
}

static enum exit_code
order(struct call *call, const char *path)
{
	struct config config = { 0 };
	const char *directory;
	struct buf body, answer;
	struct fault fault;
	enum exit_code code = EXIT_DONE;

	buf_init(&body, OUT_MAX);
	buf_init(&answer, OUT_MAX);
	buf_text(&body, "{\"reactor\":");
	json_quote(&body, slice_text(call->words[0]));
	if (call->word_count > 1) {
		buf_text(&body, ",\"letter\":");
		json_quote(&body, slice_text(call->words[1]));
	}
	buf_byte(&body, '}');
	if (call_config(call, &config, &fault) != 0 || call_data(&config, &directory, &fault) != 0 ||
	    client_ask(directory, "POST", path, buf_slice(&body), &answer, &fault) != 0) {
		code = exit_say(&fault);
	} else {
		buf_byte(&answer, '\n');
		print_out(&answer);
	}
	config_fini(&config);
	buf_fini(&body);
	buf_fini(&answer);
	return code;
}

enum exit_code
verb_dlq_retry(struct call *call)
{
	return order(call, "/admin/dlq/retry");
}

enum exit_code
verb_dlq_drop(struct call *call)
{
	return order(call, "/admin/dlq/drop");
}

enum exit_code
verb_dlq_skip(struct call *call)
{
	return order(call, "/admin/dlq/skip");
}
