/* SPDX-License-Identifier: MIT */
/*
 * Status and orders over the engine's facade. What takes long runs beside the loop, on a thread for its kind:
 * a rollback or a trial decision does not wait for a backup or for history. Everything else returns at once.
 */
#include "daemon/admin.h"

#include <unistd.h>

#include "base/json.h"
#include "daemon/admin_build.h"
#include "daemon/admin_dlq.h"
#include "daemon/admin_relay.h"
#include "daemon/admin_reload.h"
#include "daemon/ask.h"

#define ARENA_MAX ((size_t)64 << 20)

/* ---- status ---- */

static int
status(void *self, struct http_admin_call *call, struct fault *fault)
{
	const struct admin *admin = self;
	int64_t now_ns = clock_mono_ns(clock_real());

	(void)fault;
	buf_byte(call->out, '{');
	json_put_u64(call->out, "pid", (uint64_t)getpid());
	if (admin->address != NULL)
		json_put_text(call->out, "address", slice_text(admin->address));
	json_put_u64(call->out, "uptime_seconds", (uint64_t)((now_ns - admin->started_ns) / 1000000000));
	json_key(call->out, "engine");
	engine_status(admin->engine, call->out);
	buf_byte(call->out, '}');
	return 0;
}

/* ---- bodies ---- */

/*
 * A member of the body that must be text, decoded into `arena` with a NUL behind; empty when it is absent
 * and may be.
 */
static int
body_text(struct slice body, const char *key, bool wanted, struct arena *arena, struct slice *text, struct fault *fault)
{
	struct json_value object, member;
	struct buf decoded;

	*text = SLICE_NONE;
	if (json_check(body, &object, fault) != 0)
		return -1;
	if (object.kind != JSON_OBJECT || !json_member(object, slice_text(key), &member)) {
		if (!wanted && object.kind == JSON_OBJECT)
			return 0;
		return fault_set(fault, FAULT_INPUT, "bad_body", "the body lacks \"%s\"", key);
	}
	if (member.kind != JSON_STRING)
		return fault_set(fault, FAULT_INPUT, "bad_body", "\"%s\" is text", key);
	buf_init(&decoded, member.raw.size + 1);
	json_decode(member, &decoded);
	*text = arena_copy(arena, buf_slice(&decoded));
	buf_fini(&decoded);
	if (text->data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for \"%s\"", key);
	return 0;
}

/* ---- projections ---- */

static void
write_projection(const struct projection_status *status, struct buf *out)
{
	json_comma(out);
	buf_byte(out, '{');
	engine_projection_members(status, out);
	if (status->build.size != 0) {
		json_key(out, "build");
		buf_add(out, status->build);
	}
	buf_byte(out, '}');
}

static int
projections(void *self, struct http_admin_call *call, struct fault *fault)
{
	const struct admin *admin = self;
	struct projection_status *found;
	struct arena arena;
	size_t count;

	arena_init(&arena, ARENA_MAX);
	int result = engine_projections(admin->engine, &arena, &found, &count, fault);
	if (result == 0) {
		buf_byte(call->out, '[');
		for (size_t i = 0; i < count; i++)
			write_projection(&found[i], call->out);
		buf_byte(call->out, ']');
	}
	arena_fini(&arena);
	return result;
}

/* The next part of a path up to '/', which is skipped. */
static struct slice
next_part(struct slice *path)
{
	const char *slash = path->size != 0 ? memchr(path->data, '/', path->size) : NULL;
	struct slice part = *path;

	if (slash != NULL)
		part.size = (size_t)(slash - path->data);
	path->data += part.size + (slash != NULL);
	path->size -= part.size + (slash != NULL);
	return part;
}

/* A rebuild with a body is one of a part: {"stream"} or {"key"}. */
static int
rebuild_part(const struct admin *admin, struct slice domain, struct slice name, struct slice body, struct fault *fault)
{
	struct projection_part part = { .key = SLICE_NONE };
	struct json_value object, key;
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	int result = body_text(body, "stream", false, &arena, &part.stream, fault);
	if (result == 0 && json_check(body, &object, fault) == 0 && json_member(object, SLICE("key"), &key))
		part.key = key.raw;
	if (result == 0 && (part.stream.size != 0) == (part.key.size != 0))
		result = fault_set(fault, FAULT_INPUT, "bad_body", "the body names either \"stream\" or \"key\"");
	if (result == 0)
		result = engine_projection_rebuild_part(admin->engine, domain, name, &part, fault);
	arena_fini(&arena);
	return result;
}

static int
order(void *self, struct http_admin_call *call, struct fault *fault)
{
	static const struct {
		const char *name;
		enum projection_order order;
	} orders[] = { { "rebuild", PROJECTION_REBUILD }, { "retry", PROJECTION_RETRY }, { "skip", PROJECTION_SKIP } };
	const struct admin *admin = self;
	struct slice path = call->path;

	path.data += strlen("/admin/projections/");
	path.size -= strlen("/admin/projections/");
	struct slice domain = next_part(&path), name = next_part(&path);
	for (size_t i = 0; i < countof(orders); i++) {
		if (!slice_equal(path, slice_text(orders[i].name)))
			continue;
		bool rebuild = orders[i].order == PROJECTION_REBUILD;
		int result;
		if (rebuild && call->body.size != 0)
			result = rebuild_part(admin, domain, name, call->body, fault);
		else if (rebuild)
			result = admin_rebuild_order(admin->engine, domain, name, fault);
		else
			result = engine_projection_order(admin->engine, domain, name, orders[i].order, fault);
		if (result != 0)
			return -1;
		buf_text(call->out, "{\"taken\":true}");
		return 0;
	}
	return fault_set(fault, FAULT_INPUT, "no_such_order", "there is no order \"%.*s\"", SLICE_ARG(path));
}

/* ---- backup ---- */

static int
backup(void *self, struct http_admin_call *call, struct fault *fault)
{
	const struct admin *admin = self;
	struct arena arena;
	struct slice path;
	int result = -1;

	arena_init(&arena, ARENA_MAX);
	if (body_text(call->body, "path", true, &arena, &path, fault) != 0)
		goto out;
	if (path.size == 0 || path.data[0] != '/') {
		fault_set(fault, FAULT_INPUT, "bad_body", "\"path\" must be absolute");
		goto out;
	}
	if (engine_backup(admin->engine, path.data, NULL, NULL, fault) != 0)
		goto out;
	buf_byte(call->out, '{');
	json_put_text(call->out, "backup", path);
	json_put_u64(call->out, "head", engine_head(admin->engine));
	buf_byte(call->out, '}');
	result = 0;
out:
	arena_fini(&arena);
	return result;
}

/* ---- try ---- */

static const char *const outcomes[] = {
	[OUTCOME_ACCEPTED] = "accepted", [OUTCOME_REFUSED] = "refused",   [OUTCOME_CONFLICT] = "conflict",
	[OUTCOME_REPEATED] = "accepted", [OUTCOME_MISMATCH] = "conflict", [OUTCOME_MISSING] = "missing",
	[OUTCOME_FAILED] = "failed"
};

static void
write_outcome(const struct outcome *outcome, struct buf *out)
{
	buf_byte(out, '{');
	json_put_text(out, "outcome", slice_text(outcomes[outcome->kind]));
	json_put_u64(out, "status", outcome->status);
	json_put_u64(out, "version", outcome->version);
	if (outcome->code.size != 0)
		json_put_text(out, "code", outcome->code);
	if (outcome->message.size != 0)
		json_put_text(out, "message", outcome->message);
	if (outcome->field.size != 0)
		json_put_text(out, "field", outcome->field);
	if (outcome->details.size != 0) {
		json_key(out, "details");
		buf_add(out, outcome->details);
	}
	if (outcome->reply.size != 0) {
		json_key(out, "result");
		buf_add(out, outcome->reply);
	}
	if (outcome->kind == OUTCOME_FAILED) {
		json_put_text(out, "code", slice_text(outcome->fault.code));
		json_put_text(out, "message", slice_text(outcome->fault.text));
	}
	buf_byte(out, '}');
}

static int
try_body(struct slice body, struct engine_command *command, struct slice *stream, struct fault *fault)
{
	struct json_value object, data;

	if (body_text(body, "stream", true, command->arena, stream, fault) != 0 ||
	    body_text(body, "command", true, command->arena, &command->command, fault) != 0 ||
	    body_text(body, "caller", false, command->arena, &command->provenance.actor, fault) != 0 ||
	    json_check(body, &object, fault) != 0)
		return -1;
	if (json_member(object, SLICE("data"), &data))
		command->body = data.raw;
	return 0;
}

static int
try_command(void *self, struct http_admin_call *call, struct fault *fault)
{
	const struct admin *admin = self;
	struct engine_command command = { .dry_run = true };
	struct stream_name name;
	struct slice stream;
	struct arena arena;
	int result = -1;

	arena_init(&arena, ARENA_MAX);
	command.arena = &arena;
	if (try_body(call->body, &command, &stream, fault) != 0 || stream_parse(stream, &name, fault) != 0)
		goto out;
	command.domain = name.domain;
	command.aggregate = name.aggregate;
	command.id = name.id;
	ask_execute(admin->engine, &command);
	write_outcome(&command.outcome, call->out);
	result = 0;
out:
	arena_fini(&arena);
	return result;
}

static int
stop(void *self, struct http_admin_call *call, struct fault *fault)
{
	const struct admin *admin = self;

	if (admin->stop == NULL)
		return fault_set(fault, FAULT_INPUT, "no_daemon", "there is no daemon to stop");
	buf_text(call->out, "{\"stopping\":true}");
	admin->stop(admin->self);
	return 0;
}

/* Who runs an order. */
enum { ON_LOOP, BRIEF, RULES, COPIES, FIRST };

void
admin_open(struct admin *admin)
{
	static const struct http_admin_verb verbs[ADMIN_VERBS] = {
		{ "GET", "/admin/status", ON_LOOP, status, NULL },
		{ "GET", "/admin/projections", ON_LOOP, projections, NULL },
		{ "POST", "/admin/projections/", ON_LOOP, order, NULL },
		{ "GET", "/admin/builds", ON_LOOP, admin_builds, NULL },
		{ "POST", "/admin/rebuild", RULES, admin_rebuild, NULL },
		{ "POST", "/admin/dlq/", BRIEF, admin_dlq, NULL },
		{ "GET", "/admin/relay", ON_LOOP, admin_relay, NULL },
		{ "POST", "/admin/relay/", ON_LOOP, admin_relay_order, NULL },
		{ "POST", "/admin/backup", COPIES, backup, NULL },
		{ "POST", "/admin/try", BRIEF, try_command, NULL },
		{ "POST", "/admin/reload", RULES, admin_reload, NULL },
		{ "POST", "/admin/plan", RULES, admin_reload, NULL },
		{ "POST", "/admin/rollback", FIRST, admin_reload, NULL },
		{ "POST", "/admin/stop", ON_LOOP, stop, NULL },
	};

	for (size_t i = 0; i < ADMIN_VERBS; i++) {
		admin->verbs[i] = verbs[i];
		admin->verbs[i].self = admin;
	}
}

int
admin_call(const struct admin *admin, const char *method, const char *path, struct slice body, struct buf *out,
	   struct fault *fault)
{
	struct http_admin_call call = { .path = slice_text(path), .body = body, .out = out, .status = 200 };

	for (size_t i = 0; i < ADMIN_VERBS; i++) {
		const struct http_admin_verb *verb = &admin->verbs[i];
		size_t size = strlen(verb->path);
		bool prefix = verb->path[size - 1] == '/' && strncmp(path, verb->path, size) == 0;
		if (strcmp(method, verb->method) == 0 && (prefix || strcmp(path, verb->path) == 0))
			return verb->run(verb->self, &call, fault);
	}
	return fault_set(fault, FAULT_INPUT, "no_such_route", "%s %s is no route of the daemon", method, path);
}
