/* SPDX-License-Identifier: MIT */
/*
 * Commands over HTTP: the target names the stream and the command, the body is the data, headers carry what
 * surrounds it. Everything that can be refused without the engine is refused here; the rest is the engine's
 * outcome, turned into an answer by the tables of status.c.
 */
#include "http/ask.h"
#include "http/conn.h"
#include "http/handlers.h"
#include "http/reply.h"

static void
refuse(struct http_request *request, const struct fault *fault)
{
	http_reply_fault(request, fault);
	http_conn_send(request);
}

static void
fill_problem(const struct http_request *request, struct http_problem *problem)
{
	const struct engine_command *command = &request->ask.command;
	const struct outcome *outcome = &command->outcome;
	problem->code = outcome->code;
	problem->detail = outcome->message;
	problem->field = outcome->field;
	problem->has_offset = outcome->has_offset;
	problem->offset = outcome->offset;
	problem->details = outcome->details;
	problem->traceback = outcome->traceback;
	if (outcome->kind == OUTCOME_FAILED && problem->code.size == 0)
		problem->code = slice_text(outcome->fault.code[0] != '\0' ? outcome->fault.code
									  : fault_class_name(outcome->fault.class));
	if (outcome->kind == OUTCOME_FAILED && problem->detail.size == 0)
		problem->detail = slice_text(outcome->fault.text);
	if (problem->code.size > 0)
		return;
	switch (outcome->kind) {
	case OUTCOME_CONFLICT:
		problem->code = SLICE("version_conflict");
		break;
	case OUTCOME_MISMATCH:
		problem->code = SLICE("idempotency_key_reused");
		break;
	case OUTCOME_MISSING:
		problem->code = SLICE("not_found");
		break;
	default:
		problem->code = SLICE("refused");
		break;
	}
}

static void
answer_problem(struct http_request *request, uint16_t status)
{
	struct engine_command *command = &request->ask.command;
	const struct outcome *outcome = &command->outcome;
	struct http_problem problem = { .status = status };
	fill_problem(request, &problem);
	if (outcome->kind == OUTCOME_CONFLICT || (outcome->kind == OUTCOME_REFUSED && outcome->version != 0)) {
		problem.has_version = true;
		problem.version = outcome->version;
		problem.stream = arena_format(&request->arena, "%.*s.%.*s/%.*s", SLICE_ARG(command->domain),
					      SLICE_ARG(command->aggregate), SLICE_ARG(command->made_id));
		if (command->made_id.size == 0)
			problem.stream = SLICE_NONE;
	}
	if (outcome->kind == OUTCOME_FAILED && strcmp(outcome->fault.code, "domain_tripped") == 0)
		problem.retry_after = (unsigned)outcome->fault.native;
	problem.traceparent = command->provenance.traceparent;
	problem.correlation = command->provenance.correlation_id;
	http_reply_problem(request, &problem);
}

/* "/api/accounts/{id}" with the stream's id; without a pattern the state's own address. */
static struct slice
location_of(struct http_request *request)
{
	const struct engine_command *command = &request->ask.command;
	struct slice id = command->made_id;
	if (command->route == NULL || command->route->location.size == 0)
		return arena_format(&request->arena, "/state/%.*s/%.*s/%.*s", SLICE_ARG(command->domain),
				    SLICE_ARG(command->aggregate), SLICE_ARG(id));
	struct slice pattern = command->route->location;
	const char *hole = memmem(pattern.data, pattern.size, "{id}", 4);
	if (hole == NULL)
		return pattern;
	size_t before = (size_t)(hole - pattern.data);
	return arena_format(&request->arena, "%.*s%.*s%.*s", (int)before, pattern.data, SLICE_ARG(id),
			    (int)(pattern.size - before - 4), hole + 4);
}

static void
answer_success(struct http_request *request, uint16_t status)
{
	struct engine_command *command = &request->ask.command;
	const struct outcome *outcome = &command->outcome;
	struct slice body = outcome->reply;
	if (body.size == 0) {
		buf_clear(&request->text);
		buf_format(&request->text, "{\"id\":\"%.*s\",\"version\":%llu,\"position\":%llu}",
			   SLICE_ARG(command->made_id), (unsigned long long)outcome->version,
			   (unsigned long long)outcome->position);
		body = buf_slice(&request->text);
	}
	struct http_answer answer = {
		.status = status,
		.content_type = "application/json",
		.body = body,
		.has_version = outcome->version != 0,
		.version = outcome->version,
		.position = outcome->position,
		.replayed = outcome->kind == OUTCOME_REPEATED,
		.traceparent = command->provenance.traceparent,
		.correlation = command->provenance.correlation_id,
	};
	if (status == 201)
		answer.location = location_of(request);
	http_reply(request, &answer);
}

static void
answer_command(struct http_request *request)
{
	const struct engine_command *command = &request->ask.command;
	const struct outcome *outcome = &command->outcome;
	bool good = outcome->kind == OUTCOME_ACCEPTED || outcome->kind == OUTCOME_REPEATED;
	uint16_t status = http_status_of_outcome(outcome, command->has_expected);
	if (good)
		answer_success(request, status);
	else
		answer_problem(request, status);
	http_conn_send(request);
}

/* No type at all is taken as JSON, but not from another site's page: a browser asks its user nothing before
 * sending such. */
static bool
type_is_json(struct http_request *request)
{
	size_t count, sites;
	struct slice type = http_request_field(request, "content-type", &count);
	struct slice site = http_request_field(request, "sec-fetch-site", &sites);
	if (count == 0)
		return sites == 0 || slice_equal(site, SLICE("same-origin")) || slice_equal(site, SLICE("none"));
	static const struct slice json = SLICE("application/json");
	if (count > 1 || type.size < json.size || strncasecmp(type.data, json.data, json.size) != 0)
		return false;
	return type.size == json.size || type.data[json.size] == ';' || type.data[json.size] == ' ';
}

/* Nothing here unpacks: bytes that say they are packed would be taken for JSON. */
static bool
is_plain(struct http_request *request)
{
	size_t count;
	struct slice coding = http_request_field(request, "content-encoding", &count);

	return count == 0 || (count == 1 && coding.size == 8 && strncasecmp(coding.data, "identity", 8) == 0);
}

/* The command is filled from target and route; headers complete it. */
static void
submit(struct http_request *request)
{
	struct engine_command *command = &request->ask.command;
	struct fault fault = { 0 };
	bool never = false;
	if (!type_is_json(request)) {
		http_reply_error(request, 415, "unsupported_media_type", "a command's body must be application/json");
		http_conn_send(request);
		return;
	}
	if (!is_plain(request)) {
		http_reply_error(request, 415, "unsupported_media_type", "a body is not taken encoded");
		http_conn_send(request);
		return;
	}
	command->body = request->body;
	if (http_ask_expected(request, &command->expected, &command->has_expected, &never, &fault) != 0 ||
	    http_ask_key(request, &command->idempotency_key, &fault) != 0 ||
	    http_ask_provenance(request, &command->provenance, &fault) != 0) {
		refuse(request, &fault);
		return;
	}
	if (never) {
		http_reply_error(request, 412, "version_conflict", "a weak entity tag matches nothing");
		http_conn_send(request);
		return;
	}
	http_ask_command(request, answer_command);
}

static int
take_dry_run(struct http_request *request, bool *dry_run, struct fault *fault)
{
	struct slice value;
	if (http_request_parse_query(request, fault) != 0)
		return -1;
	if (http_request_take_param(request, "dry_run", &value)) {
		*dry_run = slice_equal(value, SLICE("true"));
		if (!*dry_run && !slice_equal(value, SLICE("false")))
			return fault_set(fault, FAULT_INPUT, "bad_parameter", "dry_run is true or false");
	}
	return http_request_no_params(request, fault);
}

void
http_command(struct http_request *request)
{
	struct engine_command *command = &request->ask.command;
	struct slice parts[4];
	struct slice rest = request->path;
	struct fault fault = { 0 };
	size_t count = 0;
	memset(command, 0, sizeof(*command));
	rest = slice_from(rest.data + strlen("/commands/"), rest.size - strlen("/commands/"));
	while (count < countof(parts)) {
		const char *slash = memchr(rest.data, '/', rest.size);
		size_t size = slash != NULL ? (size_t)(slash - rest.data) : rest.size;
		if (size == 0 || (slash != NULL) != (count < 3))
			break;
		if (http_request_decode(request, slice_from(rest.data, size), false, &parts[count], &fault) != 0) {
			refuse(request, &fault);
			return;
		}
		count++;
		if (slash != NULL)
			rest = slice_from(slash + 1, rest.size - size - 1);
	}
	if (count != countof(parts)) {
		http_reply_error(request, 404, "no_such_resource",
				 "a command's path is /commands/{domain}/{aggregate}/{id}/{Command}");
		http_conn_send(request);
		return;
	}
	if (take_dry_run(request, &command->dry_run, &fault) != 0) {
		refuse(request, &fault);
		return;
	}
	command->domain = parts[0];
	command->aggregate = parts[1];
	command->id = parts[2];
	command->command = parts[3];
	submit(request);
}

void
http_command_route(struct http_request *request)
{
	struct engine_command *command = &request->ask.command;
	const struct route_match *match = &request->match;
	const struct script_aggregate *aggregate = &match->program->aggregates[match->route->aggregate];
	struct fault fault = { 0 };
	memset(command, 0, sizeof(*command));
	command->domain = match->program->domain;
	command->aggregate = aggregate->name;
	command->command = aggregate->commands[match->route->command].name;
	command->route = match->route;
	for (size_t i = 0; i < match->count; i++) {
		struct slice value;
		if (http_request_decode(request, match->values[i], false, &value, &fault) != 0)
			goto refused;
		if (slice_equal(match->names[i], match->route->id_param))
			command->id = value;
		else if (http_request_add_param(request, match->names[i], value, &fault) != 0)
			goto refused;
	}
	if (request->query.size > 0) {
		fault_set(&fault, FAULT_INPUT, "unknown_parameter",
			  "a command takes its data in the body, not in the query string");
		goto refused;
	}
	command->params = request->params;
	command->param_count = request->param_count;
	submit(request);
	return;
refused:
	refuse(request, &fault);
}
