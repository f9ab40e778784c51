/* SPDX-License-Identifier: MIT */
/*
 * Reads over HTTP: a page of a stream, a state, a query, and the same as a domain's own routes. Read your
 * writes: a query with ?at_least= or Moonlog-At-Least waits for its projections, within ?wait_ms= (2 s).
 */
#include "http/ask.h"
#include "http/conn.h"
#include "http/handlers.h"
#include "http/reply.h"

#define PAGE_ENTRIES 100
#define PAGE_MOST    1000
#define HISTORY_MOST 10000
#define WAIT_MS      2000
#define WAIT_MS_MOST 30000
#define OFFSET_MOST  1000000000

static void
refuse(struct http_request *request, const struct fault *fault)
{
	http_reply_fault(request, fault);
	http_conn_send(request);
}

static struct engine_read *
begin_read(struct http_request *request, enum read_kind kind)
{
	struct engine_read *read = &request->ask.read;
	memset(read, 0, sizeof(*read));
	read->kind = kind;
	read->out = &request->text;
	buf_clear(&request->text);
	return read;
}

/* If-None-Match of a GET: the client has this version already. */
static bool
client_has(struct http_request *request, stream_version version)
{
	size_t count;
	char tag[32];
	struct slice none = http_request_field(request, "if-none-match", &count);
	if (count != 1)
		return false;
	int size = snprintf(tag, sizeof(tag), "\"%llu\"", (unsigned long long)version);
	if (slice_starts_with(none, SLICE("W/")))
		none = slice_from(none.data + 2, none.size - 2);
	return slice_equal(none, slice_from(tag, (size_t)size));
}

static void
answer_failed(struct http_request *request)
{
	const struct engine_read *read = &request->ask.read;
	const struct fault *fault = &read->fault;
	bool has_code = fault->code[0] != '\0';
	switch (read->outcome) {
	case OUTCOME_MISSING:
		http_reply_error(request, 404, has_code ? fault->code : "not_found",
				 fault->text[0] != '\0' ? fault->text : "there is nothing of this name");
		break;
	case OUTCOME_REFUSED: {
		int status = fault->native >= 400 && fault->native <= 599 ? fault->native : 422;
		http_reply_error(request, (uint16_t)status, has_code ? fault->code : "refused", fault->text);
		break;
	}
	default:
		http_reply_fault(request, fault);
		break;
	}
}

static void
answer_read(struct http_request *request)
{
	const struct engine_read *read = &request->ask.read;
	if (read->outcome != OUTCOME_ACCEPTED) {
		answer_failed(request);
	} else if (request->text.failed) {
		http_reply_error(request, 422, "answer_too_large", "the answer is too large; ask for less at once");
	} else {
		struct http_answer answer = {
			.status = read->route != NULL && read->route->status != 0 ? read->route->status : 200,
			.content_type = read->ndjson ? "application/x-ndjson" : "application/json",
			.body = buf_slice(&request->text),
			.no_store = true,
			.has_version = read->version != 0,
			.version = read->version,
			.position = read->as_of,
		};
		if (answer.has_version && client_has(request, read->version))
			answer.status = 304;
		http_reply(request, &answer);
	}
	http_conn_send(request);
}

static int
take_limit(struct http_request *request, struct engine_read *read, uint64_t limit, uint64_t most, struct fault *fault)
{
	if (http_request_take_number(request, "limit", &limit, fault) != 0)
		return -1;
	if (limit < 1 || limit > most)
		return fault_set(fault, FAULT_INPUT, "bad_parameter", "limit must be 1 to %llu",
				 (unsigned long long)most);
	read->limit = (size_t)limit;
	return 0;
}

/* A version, or a time as ISO 8601. */
static int
take_at(struct http_request *request, struct engine_read *read, struct fault *fault)
{
	struct slice at;
	char text[64];
	if (!http_request_take_param(request, "at", &at))
		return 0;
	if (slice_to_u64(at, &read->at_version)) {
		if (read->at_version == 0)
			return fault_set(fault, FAULT_INPUT, "bad_parameter",
					 "at is a version from 1 on: the first event makes version 1");
		read->has_at_version = true;
		return 0;
	}
	if (at.size < sizeof(text)) {
		memcpy(text, at.data, at.size);
		text[at.size] = '\0';
		read->has_at_time = clock_parse(text, &read->at_time_us) == 0;
	}
	if (!read->has_at_time)
		return fault_set(fault, FAULT_INPUT, "bad_parameter", "at is a version or an ISO 8601 time");
	return 0;
}

static int
take_at_least(struct http_request *request, struct engine_read *read, struct fault *fault)
{
	uint64_t wait_ms = WAIT_MS;
	size_t count;
	struct slice header = http_request_field(request, "moonlog-at-least", &count);
	if (count > 1 || (count == 1 && !slice_to_u64(header, &read->at_least)))
		return fault_set(fault, FAULT_INPUT, "bad_header", "Moonlog-At-Least must be one log position");
	if (http_request_take_number(request, "at_least", &read->at_least, fault) != 0 ||
	    http_request_take_number(request, "wait_ms", &wait_ms, fault) != 0)
		return -1;
	if (wait_ms > WAIT_MS_MOST)
		return fault_set(fault, FAULT_INPUT, "bad_parameter", "wait_ms is at most %d", WAIT_MS_MOST);
	read->wait_us = (int64_t)wait_ms * 1000;
	return 0;
}

static int
take_rows(struct http_request *request, struct engine_read *read, struct fault *fault)
{
	if (http_request_take_number(request, "offset", &read->from, fault) != 0)
		return -1;
	if (read->from > OFFSET_MOST)
		return fault_set(fault, FAULT_INPUT, "bad_parameter", "offset is at most %d", OFFSET_MOST);
	return take_limit(request, read, PAGE_ENTRIES, PAGE_MOST, fault);
}

/* The bytes of the path after `prefix`, decoded. */
static int
rest_of_path(struct http_request *request, const char *prefix, struct slice *rest, struct fault *fault)
{
	size_t skip = strlen(prefix);
	struct slice raw = slice_from(request->path.data + skip, request->path.size - skip);
	return http_request_decode(request, raw, false, rest, fault);
}

void
http_read_stream(struct http_request *request)
{
	struct engine_read *read = begin_read(request, READ_STREAM);
	struct fault fault = { 0 };
	struct stream_name name;
	read->from = 1;
	if (rest_of_path(request, "/streams/", &read->stream, &fault) != 0 ||
	    stream_parse(read->stream, &name, &fault) != 0 || http_request_parse_query(request, &fault) != 0 ||
	    http_request_take_number(request, "from", &read->from, &fault) != 0 ||
	    take_limit(request, read, PAGE_ENTRIES, PAGE_MOST, &fault) != 0 ||
	    http_request_take_switch(request, "upcast", &read->upcast, &fault) != 0 ||
	    http_request_no_params(request, &fault) != 0) {
		refuse(request, &fault);
		return;
	}
	read->ndjson = !http_request_accepts(request, "application/json") &&
		       http_request_accepts(request, "application/x-ndjson");
	http_ask_read(request, answer_read);
}

static struct slice
name_stream(struct http_request *request, struct slice domain, struct slice aggregate, struct slice id)
{
	return arena_format(&request->arena, "%.*s.%.*s/%.*s", SLICE_ARG(domain), SLICE_ARG(aggregate), SLICE_ARG(id));
}

void
http_read_state(struct http_request *request)
{
	struct engine_read *read = begin_read(request, READ_STATE);
	struct fault fault = { 0 };
	struct stream_name name;
	struct slice rest;
	if (rest_of_path(request, "/state/", &rest, &fault) != 0 || http_request_parse_query(request, &fault) != 0 ||
	    take_at(request, read, &fault) != 0 || http_request_no_params(request, &fault) != 0) {
		refuse(request, &fault);
		return;
	}
	const char *first = memchr(rest.data, '/', rest.size);
	size_t domain = first != NULL ? (size_t)(first - rest.data) : 0;
	const char *second = first != NULL ? memchr(first + 1, '/', rest.size - domain - 1) : NULL;
	if (second == NULL) {
		http_reply_error(request, 404, "no_such_resource",
				 "a state's path is /state/{domain}/{aggregate}/{id}");
		http_conn_send(request);
		return;
	}
	read->stream =
		name_stream(request, slice_from(rest.data, domain), slice_from(first + 1, (size_t)(second - first) - 1),
			    slice_from(second + 1, (size_t)(rest.data + rest.size - second) - 1));
	if (stream_parse(read->stream, &name, &fault) != 0)
		refuse(request, &fault);
	else
		http_ask_read(request, answer_read);
}

/* What `prefix` is followed by: a domain and a name in it; the other parameters are the read's. */
static void
read_named(struct http_request *request, struct engine_read *read, const char *prefix)
{
	struct fault fault = { 0 };
	struct slice rest;
	if (rest_of_path(request, prefix, &rest, &fault) != 0 || http_request_parse_query(request, &fault) != 0 ||
	    take_at_least(request, read, &fault) != 0 ||
	    (read->kind == READ_TABLE && take_rows(request, read, &fault) != 0)) {
		refuse(request, &fault);
		return;
	}
	const char *slash = memchr(rest.data, '/', rest.size);
	if (slash == NULL) {
		http_reply_error(request, 404, "no_such_resource",
				 read->kind == READ_TABLE ? "a table's path is /views/{domain}/{Table}"
							  : "a query's path is /queries/{domain}/{query}");
		http_conn_send(request);
		return;
	}
	size_t domain = (size_t)(slash - rest.data);
	read->domain = slice_from(rest.data, domain);
	read->query = slice_from(slash + 1, rest.size - domain - 1);
	read->params = request->params;
	read->param_count = request->param_count;
	http_ask_read(request, answer_read);
}

void
http_read_query(struct http_request *request)
{
	read_named(request, begin_read(request, READ_QUERY), "/queries/");
}

void
http_read_table(struct http_request *request)
{
	read_named(request, begin_read(request, READ_TABLE), "/views/");
}

/* Path values: the stream's id is given back, the others become parameters. */
static int
take_path_values(struct http_request *request, struct slice *id, struct fault *fault)
{
	const struct route_match *match = &request->match;
	for (size_t i = 0; i < match->count; i++) {
		struct slice value;
		if (http_request_decode(request, match->values[i], false, &value, fault) != 0)
			return -1;
		if (match->route->target != TARGET_QUERY && slice_equal(match->names[i], match->route->id_param))
			*id = value;
		else if (http_request_add_param(request, match->names[i], value, fault) != 0)
			return -1;
	}
	return http_request_parse_query(request, fault);
}

static int
fill_route_read(struct http_request *request, struct engine_read *read, struct fault *fault)
{
	const struct route_match *match = &request->match;
	const struct script_program *program = match->program;
	struct slice id = SLICE_NONE;
	struct stream_name name;
	read->route = match->route;
	read->domain = program->domain;
	if (take_path_values(request, &id, fault) != 0)
		return -1;
	if (match->route->target == TARGET_QUERY) {
		read->query = program->queries[match->route->query].name;
		read->params = request->params;
		if (take_at_least(request, read, fault) != 0)
			return -1;
		read->param_count = request->param_count;
		return 0;
	}
	read->stream = name_stream(request, program->domain, program->aggregates[match->route->aggregate].name, id);
	if (stream_parse(read->stream, &name, fault) != 0)
		return -1;
	if (match->route->target == TARGET_STATE) {
		if (take_at(request, read, fault) != 0)
			return -1;
	} else if (http_request_take_number(request, "fromVersion", &read->from, fault) != 0 ||
		   take_limit(request, read, HISTORY_MOST, HISTORY_MOST, fault) != 0) {
		return -1;
	}
	return http_request_no_params(request, fault);
}

void
http_read_route(struct http_request *request)
{
	enum script_target target = request->match.route->target;
	struct engine_read *read = begin_read(request, target == TARGET_QUERY     ? READ_QUERY
						       : target == TARGET_HISTORY ? READ_HISTORY
										  : READ_STATE);
	struct fault fault = { 0 };
	if (fill_route_read(request, read, &fault) != 0)
		refuse(request, &fault);
	else
		http_ask_read(request, answer_read);
}
