/* SPDX-License-Identifier: MIT */
/*
 * Requests as pooled nodes: a connection takes one with its first byte and gives it back when nothing is
 * pending, so ten thousand idle connections hold no buffer. Large buffers are not kept in the pool. Fails
 * only for memory (take gives NULL) and for targets that do not decode.
 */
#include "http/request.h"

#include <stdlib.h>

#include "base/json.h"
#include "http/loop.h"

#define POOLED_MAX  512
#define KEEP_BYTES  ((size_t)64 * 1024)
#define ARENA_BYTES ((size_t)64 * 1024 * 1024)
#define TEXT_BYTES  ((size_t)64 * 1024 * 1024)

struct http_request *
http_request_take(struct http *http, struct http_conn *conn)
{
	struct http_request *request = http->pool;
	if (request != NULL) {
		http->pool = request->next_free;
		http->pooled--;
	} else {
		request = calloc(1, sizeof(*request));
		if (request == NULL)
			return NULL;
		request->http = http;
		const struct http_limits *limits = &http->options.limits;
		buf_init(&request->in, limits->request_line + limits->header_block + limits->body + 256 * 1024);
		buf_init(&request->lead, 64 * 1024);
		buf_init(&request->text, TEXT_BYTES);
		buf_init(&request->follow.page, TEXT_BYTES);
		arena_init(&request->arena, ARENA_BYTES);
	}
	request->conn = conn;
	http_reader_init(&request->reader, &http->options.limits);
	return request;
}

static void
shrink(struct buf *buf)
{
	if (buf->room > KEEP_BYTES) {
		size_t cap = buf->cap_bytes;
		buf_fini(buf);
		buf_init(buf, cap);
	} else {
		buf_clear(buf);
	}
}

static void
count_held(struct http_request *request)
{
	size_t now = request->in.room > KEEP_BYTES ? request->in.room : 0;
	request->http->bodies_held += now - request->held; /* may wrap on the way, never in the sum */
	request->held = now;
}

bool
http_request_reserve(struct http_request *request, size_t more)
{
	if (!buf_reserve(&request->in, more))
		return false;
	count_held(request);
	return request->held == 0 || request->http->bodies_held <= request->http->options.limits.bodies_held;
}

static void
forget_answer(struct http_request *request)
{
	engine_route_done(&request->match);
	arena_clear(&request->arena);
	request->param_count = 0;
	request->answered = NULL;
	request->written = NULL;
	request->body_out = request->tail = SLICE_NONE;
	request->sent = 0;
	request->close = false;
	request->follow.asked = request->follow.ready = request->follow.sending = false;
	request->follow.refused = false;
	request->follow.ended = request->follow.waiting = request->follow.live = request->follow.events = false;
}

void
http_request_give_back(struct http_request *request)
{
	struct http *http = request->http;
	must(!request->inside && request->follow.link_waiting == NULL);
	if (http->pooled == POOLED_MAX) {
		http_request_free(request);
		return;
	}
	forget_answer(request);
	shrink(&request->in);
	count_held(request);
	shrink(&request->lead);
	shrink(&request->text);
	shrink(&request->follow.page);
	request->conn = NULL;
	request->next_free = http->pool;
	http->pool = request;
	http->pooled++;
}

void
http_request_next(struct http_request *request)
{
	size_t used = request->reader.at;
	must(used <= request->in.size);
	memmove(request->in.data, request->in.data + used, request->in.size - used);
	request->in.size -= used;
	forget_answer(request);
	shrink(&request->lead);
	shrink(&request->text);
	shrink(&request->follow.page);
	http_reader_init(&request->reader, &request->http->options.limits);
}

void
http_request_free(struct http_request *request)
{
	engine_route_done(&request->match);
	request->http->bodies_held -= request->held;
	buf_fini(&request->in);
	buf_fini(&request->lead);
	buf_fini(&request->text);
	buf_fini(&request->follow.page);
	arena_fini(&request->arena);
	free(request);
}

void
http_request_list(struct http_request *request)
{
	struct http_request **first = &request->http->followers;
	must(request->follow.link_waiting == NULL);
	request->follow.next_waiting = *first;
	if (*first != NULL)
		(*first)->follow.link_waiting = &request->follow.next_waiting;
	request->follow.link_waiting = first;
	*first = request;
	request->follow.waiting = true;
}

void
http_request_unlist(struct http_request *request)
{
	if (request->follow.link_waiting == NULL)
		return;
	*request->follow.link_waiting = request->follow.next_waiting;
	if (request->follow.next_waiting != NULL)
		request->follow.next_waiting->follow.link_waiting = request->follow.link_waiting;
	request->follow.link_waiting = NULL;
	request->follow.waiting = false;
}

void
http_request_open(struct http_request *request)
{
	const struct http_reader *reader = &request->reader;
	const char *bytes = request->in.data;
	struct slice target = http_span_slice(bytes, reader->target);
	const char *mark = memchr(target.data, '?', target.size);
	size_t path_size = mark != NULL ? (size_t)(mark - target.data) : target.size;
	request->path = slice_from(target.data, path_size);
	request->query = mark != NULL ? slice_from(mark + 1, target.size - path_size - 1) : SLICE_NONE;
	request->method_text = http_span_slice(bytes, reader->method_text);
	request->body = slice_from(bytes + reader->head_size, reader->body_size);
	request->head_only = reader->method == HTTP_HEAD;
	request->method = request->head_only ? HTTP_GET : reader->method;
	if (request->head_only)
		request->method_text = SLICE("GET");
}

struct slice
http_request_field(const struct http_request *request, const char *name, size_t *count)
{
	return http_reader_field(&request->reader, request->in.data, slice_text(name), count);
}

static int
hex(char byte)
{
	return byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10;
}

int
http_request_decode(struct http_request *request, struct slice raw, bool form, struct slice *text, struct fault *fault)
{
	if (memchr(raw.data, '%', raw.size) == NULL && (!form || memchr(raw.data, '+', raw.size) == NULL)) {
		*text = raw;
		return 0;
	}
	char *out = arena_alloc(&request->arena, raw.size);
	if (out == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a target");
	size_t size = 0;
	for (size_t i = 0; i < raw.size; i++) {
		char byte = raw.data[i];
		if (byte == '%') { /* the reader has checked the two digits */
			byte = (char)(hex(raw.data[i + 1]) * 16 + hex(raw.data[i + 2]));
			i += 2;
		} else if (form && byte == '+') {
			byte = ' ';
		}
		out[size++] = byte;
	}
	*text = slice_from(out, size);
	if (!json_utf8(*text))
		return fault_set(fault, FAULT_INPUT, "bad_target", "the target decodes to bytes that are not UTF-8");
	return 0;
}

int
http_request_add_param(struct http_request *request, struct slice name, struct slice value, struct fault *fault)
{
	if (name.size == 0)
		return fault_set(fault, FAULT_INPUT, "bad_parameter", "a parameter without a name");
	if (request->param_count == HTTP_PARAMS_MAX)
		return fault_set(fault, FAULT_INPUT, "bad_parameter", "more than %d parameters", HTTP_PARAMS_MAX);
	for (size_t i = 0; i < request->param_count; i++) {
		if (slice_equal(request->params[i].name, name))
			return fault_set(fault, FAULT_INPUT, "bad_parameter", "parameter \"%.*s\" is given twice",
					 SLICE_ARG(name));
	}
	request->params[request->param_count++] = (struct script_param){ name, value };
	return 0;
}

int
http_request_parse_query(struct http_request *request, struct fault *fault)
{
	struct slice rest = request->query;
	while (rest.size > 0) {
		const char *end = memchr(rest.data, '&', rest.size);
		size_t size = end != NULL ? (size_t)(end - rest.data) : rest.size;
		const char *equals = memchr(rest.data, '=', size);
		size_t name_size = equals != NULL ? (size_t)(equals - rest.data) : size;
		struct slice name, value = SLICE_NONE;
		if (http_request_decode(request, slice_from(rest.data, name_size), true, &name, fault) != 0)
			return -1;
		if (equals != NULL && http_request_decode(request, slice_from(equals + 1, size - name_size - 1), true,
							  &value, fault) != 0)
			return -1;
		if (http_request_add_param(request, name, value, fault) != 0)
			return -1;
		size_t step = end != NULL ? size + 1 : size;
		rest = slice_from(rest.data + step, rest.size - step);
	}
	return 0;
}

bool
http_request_take_param(struct http_request *request, const char *name, struct slice *value)
{
	for (size_t i = 0; i < request->param_count; i++) {
		if (!slice_equal(request->params[i].name, slice_text(name)))
			continue;
		*value = request->params[i].value;
		request->param_count--;
		memmove(&request->params[i], &request->params[i + 1],
			(request->param_count - i) * sizeof(request->params[0]));
		return true;
	}
	return false;
}

int
http_request_take_number(struct http_request *request, const char *name, uint64_t *number, struct fault *fault)
{
	struct slice value;
	if (http_request_take_param(request, name, &value) && !slice_to_u64(value, number))
		return fault_set(fault, FAULT_INPUT, "bad_parameter", "parameter \"%s\" must be a whole number", name);
	return 0;
}

int
http_request_take_switch(struct http_request *request, const char *name, bool *on, struct fault *fault)
{
	struct slice value;
	*on = false;
	if (!http_request_take_param(request, name, &value))
		return 0;
	*on = value.size == 0 || slice_equal(value, SLICE("1")) || slice_equal(value, SLICE("true"));
	if (!*on && !slice_equal(value, SLICE("0")) && !slice_equal(value, SLICE("false")))
		return fault_set(fault, FAULT_INPUT, "bad_parameter", "parameter \"%s\" must be 1 or 0", name);
	return 0;
}

int
http_request_no_params(const struct http_request *request, struct fault *fault)
{
	if (request->param_count == 0)
		return 0;
	return fault_set(fault, FAULT_INPUT, "unknown_parameter", "parameter \"%.*s\" is not known here",
			 SLICE_ARG(request->params[0].name));
}

static bool
media_matches(struct slice range, struct slice type)
{
	const char *semicolon = memchr(range.data, ';', range.size);
	struct slice rest = SLICE_NONE;
	if (semicolon != NULL) {
		rest = slice_from(semicolon + 1, (size_t)(range.data + range.size - semicolon - 1));
		range.size = (size_t)(semicolon - range.data);
	}
	while (range.size > 0 && range.data[range.size - 1] == ' ')
		range.size--;
	while (range.size > 0 && (range.data[0] == ' ' || range.data[0] == '\t')) {
		range.data++;
		range.size--;
	}
	while (rest.size > 0 && rest.data[0] == ' ') {
		rest.data++;
		rest.size--;
	}
	if (slice_equal(rest, SLICE("q=0")) || slice_equal(rest, SLICE("q=0.0")))
		return false;
	if (slice_equal(range, SLICE("*/*")) || slice_equal(range, type))
		return true;
	if (range.size < 2 || memcmp(range.data + range.size - 2, "/*", 2) != 0)
		return false;
	return slice_starts_with(type, slice_from(range.data, range.size - 1));
}

bool
http_request_accepts(const struct http_request *request, const char *type)
{
	size_t count;
	struct slice rest = http_request_field(request, "accept", &count);
	if (count == 0)
		return true;
	while (rest.size > 0) {
		const char *comma = memchr(rest.data, ',', rest.size);
		size_t size = comma != NULL ? (size_t)(comma - rest.data) : rest.size;
		if (media_matches(slice_from(rest.data, size), slice_text(type)))
			return true;
		size_t step = comma != NULL ? size + 1 : size;
		rest = slice_from(rest.data + step, rest.size - step);
	}
	return count > 1;
}
