/* SPDX-License-Identifier: MIT */
/*
 * The C interface for other programs (include/moonlog/moonlog.h) over the same wiring as the daemon's. Every call
 * becomes one ask of the engine's and waits for it; what it answers is copied into memory of the answer's own.
 * Callers' structs carry their size, so that a program built against an older header goes on working.
 */
#include "moonlog/moonlog.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "daemon/ask.h"
#include "daemon/wire.h"

#define ARENA_MAX    ((size_t)64 << 20)
#define REPLY_MAX    ((size_t)64 << 20)
#define DRAIN_NS     10000000000LL
#define QUERY_WAIT   2000000
#define FOLLOW_PAGE  500
#define FOLLOW_BYTES ((size_t)1 << 20)

struct moonlog {
	struct wire wire;
	void (*fatal)(void *self, const struct moonlog_error *error);
	void *self;
};

/* What an answer's texts live in. */
struct answer_memory {
	struct arena arena;
	struct buf out;
};

const char *
moonlog_version(void)
{
	return MOONLOG_VERSION;
}

static int
give_error(const struct fault *fault, struct moonlog_error *error)
{
	static const enum moonlog_error_kind kinds[] = {
		[FAULT_NONE] = MOONLOG_BUG,        [FAULT_INPUT] = MOONLOG_INPUT,     [FAULT_LIMIT] = MOONLOG_LIMIT,
		[FAULT_SCRIPT] = MOONLOG_SCRIPT,   [FAULT_BUSY] = MOONLOG_BUSY,       [FAULT_AWAY] = MOONLOG_AWAY,
		[FAULT_UNKNOWN] = MOONLOG_UNKNOWN, [FAULT_TIMEOUT] = MOONLOG_TIMEOUT, [FAULT_FULL] = MOONLOG_FULL,
		[FAULT_CORRUPT] = MOONLOG_CORRUPT, [FAULT_CONFIG] = MOONLOG_CONFIG,   [FAULT_MEMORY] = MOONLOG_MEMORY,
		[FAULT_BUG] = MOONLOG_BUG,
	};
	_Static_assert(countof(kinds) == FAULT_CLASSES, "every fault class has its kind");

	if (error == NULL)
		return -1;
	error->kind = kinds[fault->class];
	snprintf(error->code, sizeof(error->code), "%s", fault->code);
	snprintf(error->text, sizeof(error->text), "%s", fault->text);
	return -1;
}

static void
on_fatal(void *self, const struct fault *fault)
{
	struct moonlog *log = self;
	struct moonlog_error error;

	give_error(fault, &error);
	if (log->fatal != NULL)
		log->fatal(log->self, &error);
}

int
moonlog_open(const struct moonlog_options *options, struct moonlog **log, struct moonlog_error *error)
{
	struct moonlog_options given = { 0 };
	struct moonlog *opened = calloc(1, sizeof(*opened));
	struct fault fault;

	*log = NULL;
	if (opened == NULL) {
		fault_set(&fault, FAULT_MEMORY, "memory", "no memory to open a log");
		return give_error(&fault, error);
	}
	memcpy(&given, options, options->size < sizeof(given) ? options->size : sizeof(given));
	struct wire_options wire = {
		.data = given.data,
		.watchdog_signal = given.watchdog_signal,
		.limits = { .workers = given.workers, .readers = given.readers, .heap_bytes = given.heap_bytes },
		.fatal = on_fatal,
		.self = opened,
	};
	opened->fatal = given.fatal;
	opened->self = given.self;
	log_setup(given.log_fd, given.log_fd >= 0 ? LOG_INFO : LOG_OFF, LOG_LOGFMT);
	if (wire_open(&opened->wire, &wire, &fault) != 0) {
		wire_close(&opened->wire);
		free(opened);
		return give_error(&fault, error);
	}
	*log = opened;
	return 0;
}

int
moonlog_add_domain(struct moonlog *log, const char *folder, struct moonlog_error *error)
{
	struct fault fault;

	return wire_add_domain(&log->wire, folder, &fault) == 0 ? 0 : give_error(&fault, error);
}

int
moonlog_start(struct moonlog *log, struct moonlog_error *error)
{
	struct fault fault;

	return engine_start(log->wire.engine, &fault) == 0 ? 0 : give_error(&fault, error);
}

void
moonlog_close(struct moonlog *log)
{
	if (log == NULL)
		return;
	engine_drain(log->wire.engine, clock_mono_ns(clock_real()) + DRAIN_NS);
	wire_close(&log->wire);
	free(log);
}

uint64_t
moonlog_head(struct moonlog *log)
{
	return engine_head(log->wire.engine);
}

/* ---- answers ---- */

static struct answer_memory *
answer_begin(struct moonlog_answer *answer, struct fault *fault)
{
	struct answer_memory *memory = calloc(1, sizeof(*memory));

	*answer = (struct moonlog_answer){ .reply = "", .code = "", .message = "" };
	if (memory == NULL) {
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for an answer");
		return NULL;
	}
	arena_init(&memory->arena, ARENA_MAX);
	buf_init(&memory->out, REPLY_MAX);
	answer->inside = memory;
	return memory;
}

static void
memory_free(struct answer_memory *memory)
{
	if (memory == NULL)
		return;
	arena_fini(&memory->arena);
	buf_fini(&memory->out);
	free(memory);
}

void
moonlog_answer_free(struct moonlog_answer *answer)
{
	memory_free(answer->inside);
	*answer = (struct moonlog_answer){ .reply = "", .code = "", .message = "" };
}

/* Texts of the engine's, ended by NUL. -1 when memory ran out. */
static int
answer_texts(struct moonlog_answer *answer, struct slice reply, struct slice code, struct slice message,
	     struct fault *fault)
{
	struct answer_memory *memory = answer->inside;

	answer->reply = arena_text(&memory->arena, reply);
	answer->code = arena_text(&memory->arena, code);
	answer->message = arena_text(&memory->arena, message);
	if (answer->reply != NULL && answer->code != NULL && answer->message != NULL)
		return 0;
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for an answer");
}

static int
fail(struct moonlog_answer *answer, const struct fault *fault, struct moonlog_error *error)
{
	struct fault kept = *fault;

	moonlog_answer_free(answer);
	return give_error(&kept, error);
}

static int
status_of(const struct outcome *outcome)
{
	switch (outcome->kind) {
	case OUTCOME_ACCEPTED:
	case OUTCOME_REPEATED:
		return outcome->status != 0 ? outcome->status : 200;
	case OUTCOME_CONFLICT:
		return 409;
	case OUTCOME_MISSING:
		return outcome->status != 0 ? outcome->status : 404;
	case OUTCOME_REFUSED:
	case OUTCOME_MISMATCH:
	case OUTCOME_FAILED:
		break;
	}
	return outcome->status != 0 ? outcome->status : 422;
}

static enum moonlog_outcome
outcome_of(enum outcome_kind kind)
{
	static const enum moonlog_outcome outcomes[] = {
		[OUTCOME_ACCEPTED] = MOONLOG_ACCEPTED, [OUTCOME_REFUSED] = MOONLOG_REFUSED,
		[OUTCOME_CONFLICT] = MOONLOG_CONFLICT, [OUTCOME_REPEATED] = MOONLOG_REPEATED,
		[OUTCOME_MISMATCH] = MOONLOG_MISMATCH, [OUTCOME_MISSING] = MOONLOG_MISSING,
	};

	return outcomes[kind];
}

/* ---- commands ---- */

static int
fill_command(struct engine_command *command, const struct moonlog_command *given, struct fault *fault)
{
	struct stream_name name;

	if (given->stream == NULL || given->command == NULL)
		return fault_set(fault, FAULT_INPUT, "bad_argument", "a command names a stream and a command");
	if (stream_parse(slice_text(given->stream), &name, fault) != 0)
		return -1;
	command->domain = name.domain;
	command->aggregate = name.aggregate;
	command->id = name.id;
	command->command = slice_text(given->command);
	command->body = slice_text(given->body);
	command->idempotency_key = slice_text(given->key);
	command->provenance.actor = slice_text(given->caller);
	command->has_expected = given->expected != MOONLOG_ANY_VERSION;
	command->expected.kind = given->expected == 0 ? EXPECTED_NO_STREAM : EXPECTED_EXACTLY;
	command->expected.version = given->expected;
	return 0;
}

int
moonlog_execute(struct moonlog *log, const struct moonlog_command *command, struct moonlog_answer *answer,
		struct moonlog_error *error)
{
	struct moonlog_command given = MOONLOG_COMMAND;
	struct engine_command ask = { 0 };
	struct fault fault;
	struct answer_memory *memory = answer_begin(answer, &fault);

	if (memory == NULL)
		return give_error(&fault, error);
	memcpy(&given, command, command->size < sizeof(given) ? command->size : sizeof(given));
	ask.arena = &memory->arena;
	if (fill_command(&ask, &given, &fault) != 0)
		return fail(answer, &fault, error);
	ask_execute(log->wire.engine, &ask);
	const struct outcome *outcome = &ask.outcome;
	if (outcome->kind == OUTCOME_FAILED)
		return fail(answer, &outcome->fault, error);
	answer->outcome = outcome_of(outcome->kind);
	answer->status = status_of(outcome);
	answer->version = outcome->version;
	answer->position = outcome->position;
	if (answer_texts(answer, outcome->reply, outcome->code, outcome->message, &fault) != 0)
		return fail(answer, &fault, error);
	return 0;
}

/* ---- reads ---- */

static int
finish_read(struct moonlog *log, struct engine_read *ask, struct moonlog_answer *answer, struct moonlog_error *error)
{
	struct answer_memory *memory = answer->inside;
	struct slice reply = SLICE_NONE, code = SLICE_NONE, message = SLICE_NONE;
	struct fault fault;

	ask->arena = &memory->arena;
	ask->out = &memory->out;
	ask_read(log->wire.engine, ask);
	if (ask->outcome == OUTCOME_FAILED)
		return fail(answer, &ask->fault, error);
	answer->outcome = outcome_of(ask->outcome);
	answer->version = ask->version;
	answer->position = ask->as_of;
	answer->status = 200;
	if (ask->outcome == OUTCOME_ACCEPTED) {
		reply = buf_slice(&memory->out);
	} else {
		answer->status = ask->fault.native != 0            ? ask->fault.native
				 : ask->outcome == OUTCOME_MISSING ? 404
								   : 422;
		code = slice_text(ask->fault.code);
		message = slice_text(ask->fault.text);
	}
	if (answer_texts(answer, reply, code, message, &fault) != 0)
		return fail(answer, &fault, error);
	return 0;
}

int
moonlog_state(struct moonlog *log, const char *stream, uint64_t at, struct moonlog_answer *answer,
	      struct moonlog_error *error)
{
	struct engine_read ask = { .kind = READ_STATE, .has_at_version = at != 0, .at_version = at };
	struct stream_name name;
	struct fault fault;

	if (answer_begin(answer, &fault) == NULL)
		return give_error(&fault, error);
	if (stream_parse(slice_text(stream), &name, &fault) != 0)
		return fail(answer, &fault, error);
	ask.stream = name.whole;
	return finish_read(log, &ask, answer, error);
}

int
moonlog_query(struct moonlog *log, const char *query, const struct moonlog_param *params, size_t count,
	      uint64_t at_least, struct moonlog_answer *answer, struct moonlog_error *error)
{
	struct engine_read ask = { .kind = READ_QUERY, .at_least = at_least, .wait_us = QUERY_WAIT };
	const char *dot = strchr(query, '.');
	struct fault fault;
	struct answer_memory *memory = answer_begin(answer, &fault);

	if (memory == NULL)
		return give_error(&fault, error);
	struct script_param *texts = arena_zero(&memory->arena, count + 1, sizeof(*texts));
	if (texts == NULL || dot == NULL) {
		fault_set(&fault, FAULT_INPUT, "bad_argument", "\"%s\" is not DOMAIN.QUERY", query);
		return fail(answer, &fault, error);
	}
	for (size_t i = 0; i < count; i++)
		texts[i] = (struct script_param){ slice_text(params[i].name), slice_text(params[i].value) };
	ask.domain = slice_from(query, (size_t)(dot - query));
	ask.query = slice_text(dot + 1);
	ask.params = texts;
	ask.param_count = count;
	return finish_read(log, &ask, answer, error);
}

/* ---- following ---- */

/* The watch rings once after each arming, so that one message is enough. */
struct bell {
	struct mailbox box;
	struct mail ring;
};

struct follow {
	struct moonlog *log;
	uint64_t after;
	int (*each)(void *self, uint64_t position, const char *json, size_t size);
	void *self;
	struct arena arena;
	struct buf out;
	struct bell bell;
	bool ended; /* `each` wants no more */
};

static void
ring(void *self)
{
	struct bell *bell = self;

	mailbox_give(&bell->box, &bell->ring);
}

static int
hand_out(struct follow *follow, struct fault *fault)
{
	struct slice rest = buf_slice(&follow->out);

	while (rest.size != 0 && !follow->ended) {
		const char *end = memchr(rest.data, '\n', rest.size);
		struct slice line = slice_from(rest.data, end != NULL ? (size_t)(end - rest.data) : rest.size);
		struct json_value entry, position;
		uint64_t number = 0;
		if (json_check(line, &entry, fault) != 0 || !json_member(entry, SLICE("position"), &position) ||
		    !json_to_u64(position, &number))
			return fault_set(fault, FAULT_BUG, "bug", "an entry without position");
		follow->ended = follow->each(follow->self, number, line.data, line.size) != 0;
		follow->after = number;
		rest.data += line.size + (end != NULL);
		rest.size -= line.size + (end != NULL);
	}
	return 0;
}

/* One page. *more: the end of the log was not reached. */
static int
follow_page(struct follow *follow, bool *more, struct fault *fault)
{
	struct engine_read ask = { .kind = READ_LOG,
				   .from = follow->after,
				   .limit = FOLLOW_PAGE,
				   .bytes = FOLLOW_BYTES,
				   .ndjson = true,
				   .arena = &follow->arena,
				   .out = &follow->out };

	arena_clear(&follow->arena);
	buf_clear(&follow->out);
	ask_read(follow->log->wire.engine, &ask);
	if (ask.outcome != OUTCOME_ACCEPTED) {
		*fault = ask.fault;
		return -1;
	}
	*more = ask.entries != 0;
	return hand_out(follow, fault);
}

/* false when nothing came in time. */
static bool
wait_bell(struct bell *bell, int64_t wait_ms)
{
	return mailbox_wait(&bell->box, wait_ms < 0 ? -1 : wait_ms * 1000000) != NULL;
}

int
moonlog_follow(struct moonlog *log, uint64_t *after, int64_t wait_ms,
	       int (*each)(void *self, uint64_t position, const char *json, size_t size), void *self,
	       struct moonlog_error *error)
{
	struct follow follow = { .log = log, .after = *after, .each = each, .self = self };
	struct engine_watch watch = { .waker = { ring, &follow.bell } };
	struct fault fault;
	int result = 0;

	arena_init(&follow.arena, ARENA_MAX);
	buf_init(&follow.out, REPLY_MAX);
	mailbox_init(&follow.bell.box, 0, NULL);
	engine_watch_add(log->wire.engine, &watch);
	while (result == 0 && !follow.ended) {
		bool more = true;
		/* Armed before reading: what comes between the read and the wait rings. */
		engine_watch_arm(log->wire.engine, &watch);
		while (result == 0 && more && !follow.ended)
			result = follow_page(&follow, &more, &fault);
		if (result == 0 && !follow.ended && (wait_ms == 0 || !wait_bell(&follow.bell, wait_ms)))
			break;
	}
	engine_watch_remove(log->wire.engine, &watch);
	*after = follow.after;
	mailbox_fini(&follow.bell.box);
	arena_fini(&follow.arena);
	buf_fini(&follow.out);
	return result == 0 ? 0 : give_error(&fault, error);
}
