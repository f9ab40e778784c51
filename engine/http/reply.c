/* SPDX-License-Identifier: MIT */
/*
 * Writes answers: a head of few, fixed headers and a body that is written from where it lies. Errors are
 * application/problem+json (RFC 9457) with a stable `code`. An answer that cannot be built for want of memory becomes a
 * bare 503 whose bytes fit where any head fits.
 */
#include "http/reply.h"

#include "base/json.h"
#include "http/conn.h"

/* Values that came from outside never end a line; whoever put them here has checked, this makes sure. */
static void
add_header(struct buf *lead, const char *name, struct slice value)
{
	for (size_t i = 0; i < value.size; i++) {
		if ((unsigned char)value.data[i] < 0x20 || value.data[i] == 0x7f)
			return;
	}
	buf_text(lead, name);
	buf_add(lead, value);
	buf_add(lead, SLICE("\r\n"));
}

static void
add_status(struct http_request *request, uint16_t status)
{
	struct buf *lead = &request->lead;
	if (status == 200) {
		buf_add(lead, SLICE("HTTP/1.1 200 OK\r\nDate: "));
	} else {
		buf_add(lead, SLICE("HTTP/1.1 "));
		buf_u64(lead, status);
		buf_byte(lead, ' ');
		buf_text(lead, http_status_title(status));
		buf_add(lead, SLICE("\r\nDate: "));
	}
	buf_text(lead, http_date(request->http));
	buf_add(lead, SLICE("\r\n"));
}

static void
add_optional(struct buf *lead, const struct http_answer *answer)
{
	if (answer->no_store)
		buf_add(lead, SLICE("Cache-Control: no-store\r\n"));
	if (answer->has_version) {
		buf_add(lead, SLICE("ETag: \""));
		buf_u64(lead, answer->version);
		buf_add(lead, SLICE("\"\r\n"));
	}
	if (answer->position != 0) {
		buf_add(lead, SLICE("Moonlog-Position: "));
		buf_u64(lead, answer->position);
		buf_add(lead, SLICE("\r\n"));
	}
	if (answer->location.size > 0)
		add_header(lead, "Location: ", answer->location);
	if (answer->allow != NULL)
		add_header(lead, "Allow: ", slice_text(answer->allow));
	if (answer->retry_after != 0) {
		buf_add(lead, SLICE("Retry-After: "));
		buf_u64(lead, answer->retry_after);
		buf_add(lead, SLICE("\r\n"));
	}
	if (answer->replayed)
		buf_add(lead, SLICE("Idempotency-Replayed: true\r\n"));
	if (answer->traceparent.size > 0)
		add_header(lead, "traceparent: ", answer->traceparent);
	if (answer->correlation.size > 0)
		add_header(lead, "X-Correlation-ID: ", answer->correlation);
}

void
http_reply(struct http_request *request, const struct http_answer *answer)
{
	struct buf *lead = &request->lead;
	bool bodiless = answer->status == 204 || answer->status == 304;
	buf_clear(lead);
	add_status(request, answer->status);
	if (answer->content_type != NULL && !bodiless) {
		buf_add(lead, SLICE("Content-Type: "));
		buf_text(lead, answer->content_type);
		buf_add(lead, SLICE("\r\nX-Content-Type-Options: nosniff\r\n"));
	}
	if (answer->chunked && request->reader.minor >= 1) {
		buf_add(lead, SLICE("Transfer-Encoding: chunked\r\n"));
	} else if (!answer->chunked && !bodiless) {
		buf_add(lead, SLICE("Content-Length: "));
		buf_u64(lead, answer->body.size);
		buf_add(lead, SLICE("\r\n"));
	}
	add_optional(lead, answer);
	request->close = request->close || request->reader.close || request->http->draining;
	if (request->close)
		buf_add(lead, SLICE("Connection: close\r\n"));
	buf_add(lead, SLICE("\r\n"));
	request->status = answer->status;
	request->body_out = request->head_only || bodiless ? SLICE_NONE : answer->body;
	request->tail = SLICE_NONE;
	request->sent = 0;
	if (!lead->failed)
		return;
	buf_clear(lead);
	buf_add(lead, SLICE("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
	request->status = 503;
	request->close = true;
	request->body_out = SLICE_NONE;
}

static void
add_problem_body(struct buf *out, const struct http_problem *problem)
{
	buf_add(out, SLICE("{\"type\":\"about:blank\",\"title\":"));
	json_quote(out, slice_text(http_status_title(problem->status)));
	buf_add(out, SLICE(",\"status\":"));
	buf_u64(out, problem->status);
	buf_add(out, SLICE(",\"code\":"));
	json_quote(out, problem->code);
	if (problem->detail.size > 0) {
		json_key(out, "detail");
		json_quote(out, problem->detail);
	}
	if (problem->field.size > 0) {
		json_key(out, "field");
		json_quote(out, problem->field);
	}
	if (problem->has_offset) {
		json_key(out, "offset");
		buf_u64(out, problem->offset);
	}
	if (problem->stream.size > 0) {
		json_key(out, "stream");
		json_quote(out, problem->stream);
	}
	if (problem->has_version) {
		json_key(out, "version");
		buf_u64(out, problem->version);
	}
	if (problem->details.size > 0) {
		json_key(out, "details");
		buf_add(out, problem->details);
	}
	if (problem->traceback.size > 0) {
		json_key(out, "traceback");
		json_quote(out, problem->traceback);
	}
	buf_byte(out, '}');
}

void
http_reply_problem(struct http_request *request, const struct http_problem *problem)
{
	struct buf *out = &request->text;
	buf_clear(out);
	add_problem_body(out, problem);
	struct http_answer answer = {
		.status = problem->status,
		.content_type = "application/problem+json",
		.body = buf_slice(out),
		.no_store = true,
		.has_version = problem->has_version,
		.version = problem->version,
		.allow = problem->allow,
		.retry_after = problem->retry_after,
		.traceparent = problem->traceparent,
		.correlation = problem->correlation,
	};
	if (out->failed)
		answer.body = SLICE_NONE;
	if (answer.status == 503 && answer.retry_after == 0)
		answer.retry_after = 1;
	http_reply(request, &answer);
}

void
http_reply_error(struct http_request *request, uint16_t status, const char *code, const char *detail)
{
	struct http_problem problem = { .status = status, .code = slice_text(code), .detail = slice_text(detail) };
	http_reply_problem(request, &problem);
}

void
http_reply_fault(struct http_request *request, const struct fault *fault)
{
	const char *code = fault->code[0] != '\0' ? fault->code : fault_class_name(fault->class);
	http_reply_error(request, http_status_of_fault(fault), code, fault->text);
}

void
http_reply_json(struct http_request *request, uint16_t status)
{
	if (request->text.failed) {
		http_reply_error(request, 503, "memory", "no memory for the answer");
		return;
	}
	struct http_answer answer = { .status = status,
				      .content_type = "application/json",
				      .body = buf_slice(&request->text),
				      .no_store = true };
	http_reply(request, &answer);
}
