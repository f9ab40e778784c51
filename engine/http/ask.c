/* SPDX-License-Identifier: MIT */
/*
 * The bridge to the engine: `done` runs on one of its threads and only mails the node back to the loop.
 * Limits on what is inside are counted here, so that a flood is answered 503 before it costs anything below.
 */
#include "http/ask.h"

#include "http/conn.h"
#include "http/reply.h"

static void
command_done(struct engine_command *command)
{
	struct http_request *request = container_of(command, struct http_request, ask.command);
	must(mailbox_give(&request->http->box, &request->ask.mail));
}

static void
read_done(struct engine_read *read)
{
	struct http_request *request = container_of(read, struct http_request, ask.read);
	must(mailbox_give(&request->http->box, &request->ask.mail));
}

static void
go_inside(struct http_request *request, size_t *count, void (*answered)(struct http_request *request))
{
	request->inside = true;
	request->inside_count = count;
	request->answered = answered;
	(*count)++;
}

static void
come_back(struct http_request *request)
{
	request->inside = false;
	(*request->inside_count)--;
	request->inside_count = NULL;
}

void
http_ask_read(struct http_request *request, void (*answered)(struct http_request *request))
{
	struct http *http = request->http;
	struct engine_read *read = &request->ask.read;
	read->arena = &request->arena;
	read->done = read_done;
	if (http->reads_inside >= http->options.limits.reads_in_flight) {
		read->outcome = OUTCOME_FAILED;
		fault_set(&read->fault, FAULT_BUSY, "too_many_in_flight", "too many reads are being answered");
		answered(request);
		return;
	}
	go_inside(request, &http->reads_inside, answered);
	if (engine_read(http->options.engine, read))
		return;
	come_back(request);
	if (read->outcome == OUTCOME_ACCEPTED) {
		read->outcome = OUTCOME_FAILED;
		if (read->fault.class == FAULT_NONE)
			fault_set(&read->fault, FAULT_BUSY, "queue_full", "the readers' queue is full");
	}
	answered(request);
}

void
http_ask_command(struct http_request *request, void (*answered)(struct http_request *request))
{
	struct http *http = request->http;
	struct engine_command *command = &request->ask.command;
	command->arena = &request->arena;
	command->done = command_done;
	if (http->commands_inside >= http->options.limits.commands_in_flight) {
		command->outcome.kind = OUTCOME_FAILED;
		fault_set(&command->outcome.fault, FAULT_BUSY, "too_many_in_flight",
			  "too many commands are being decided");
		answered(request);
		return;
	}
	go_inside(request, &http->commands_inside, answered);
	if (engine_execute(http->options.engine, command))
		return;
	come_back(request);
	answered(request);
}

static bool
visible(struct slice text, size_t most)
{
	if (text.size == 0 || text.size > most)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] <= ' ' || (unsigned char)text.data[i] > '~')
			return false;
	}
	return true;
}

static bool
lower_hex(const char *text, size_t size)
{
	bool some = false;
	for (size_t i = 0; i < size; i++) {
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
			return false;
		some = some || text[i] != '0';
	}
	return some;
}

/* W3C trace context: 00-<32 hex>-<16 hex>-<2 hex>, neither id all zero. */
static bool
trace_ok(struct slice text)
{
	if (text.size != 55 || memcmp(text.data, "00-", 3) != 0 || text.data[35] != '-' || text.data[52] != '-')
		return false;
	char flags[3] = { '1', text.data[53], text.data[54] };
	return lower_hex(text.data + 3, 32) && lower_hex(text.data + 36, 16) && lower_hex(flags, 3);
}

static int
take_word(struct http_request *request, const char *name, const char *other, struct slice *word, struct fault *fault)
{
	size_t count, more;
	struct slice first = http_request_field(request, name, &count);
	struct slice second = http_request_field(request, other, &more);
	if (count + more == 0)
		return 0;
	*word = count > 0 ? first : second;
	if (count + more > 1 || !visible(*word, 128))
		return fault_set(fault, FAULT_INPUT, "bad_header",
				 "%s must be given once, with 1 to 128 visible characters", name);
	return 0;
}

int
http_ask_provenance(struct http_request *request, struct provenance *provenance, struct fault *fault)
{
	size_t count;
	if (take_word(request, "x-correlation-id", "correlation-id", &provenance->correlation_id, fault) != 0)
		return -1;
	if (take_word(request, "x-causation-id", "causation-id", &provenance->causation_id, fault) != 0)
		return -1;
	struct slice trace = http_request_field(request, "traceparent", &count);
	if (count == 1 && trace_ok(trace))
		provenance->traceparent = trace;
	return 0;
}

int
http_ask_expected(struct http_request *request, struct expected *expected, bool *has, bool *never, struct fault *fault)
{
	size_t matches, nones;
	struct slice match = http_request_field(request, "if-match", &matches);
	struct slice none = http_request_field(request, "if-none-match", &nones);
	*has = matches + nones > 0;
	*never = false;
	if (!*has)
		return 0;
	if (matches + nones > 1)
		return fault_set(fault, FAULT_INPUT, "bad_precondition",
				 "one If-Match or If-None-Match is understood, not several");
	if (nones == 1) {
		if (!slice_equal(none, SLICE("*")))
			return fault_set(fault, FAULT_INPUT, "bad_precondition",
					 "a command understands only If-None-Match: *");
		expected->kind = EXPECTED_NO_STREAM;
		return 0;
	}
	if (slice_equal(match, SLICE("*"))) {
		expected->kind = EXPECTED_EXISTS;
		return 0;
	}
	*never = slice_starts_with(match, SLICE("W/"));
	if (*never)
		match = slice_from(match.data + 2, match.size - 2);
	expected->kind = EXPECTED_EXACTLY;
	if (match.size < 3 || match.data[0] != '"' || match.data[match.size - 1] != '"' ||
	    !slice_to_u64(slice_from(match.data + 1, match.size - 2), &expected->version))
		return fault_set(fault, FAULT_INPUT, "bad_precondition",
				 "If-Match must be * or one quoted version as ETag gives it, \"7\"");
	return 0;
}

int
http_ask_key(struct http_request *request, struct slice *key, struct fault *fault)
{
	size_t count;
	*key = http_request_field(request, "idempotency-key", &count);
	if (count == 0)
		return 0;
	if (count > 1 || !visible(*key, 255))
		return fault_set(fault, FAULT_INPUT, "bad_idempotency_key",
				 "Idempotency-Key must be given once, with 1 to 255 visible characters");
	return 0;
}
