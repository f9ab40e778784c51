/* SPDX-License-Identifier: MIT */
/*
 * Answers: the one table from outcomes and faults to statuses, problem+json, and the head's bytes. Functions
 * here fill a request's lead and body_out; http_conn_send then writes them.
 */
#ifndef MOONLOG_HTTP_REPLY_H
#define MOONLOG_HTTP_REPLY_H

#include "http/request.h"

struct http_answer {
	uint16_t status;
	const char *content_type; /* NULL: no body */
	struct slice body;        /* must live until written */
	bool chunked;             /* no length; the pieces follow */
	bool no_store;
	bool has_version;
	stream_version version; /* ETag */
	log_position position;  /* Moonlog-Position; 0 = none */
	struct slice location;
	const char *allow;
	unsigned retry_after; /* seconds; 0 = none */
	bool replayed;
	struct slice traceparent;
	struct slice correlation;
};

struct http_problem {
	uint16_t status;
	struct slice code;
	struct slice detail;
	struct slice field;
	bool has_offset;
	uint64_t offset;
	struct slice stream;
	bool has_version;
	stream_version version;
	struct slice details; /* JSON object */
	struct slice traceback;
	const char *allow;
	unsigned retry_after;
	struct slice traceparent;
	struct slice correlation;
};

void http_reply(struct http_request *request, const struct http_answer *answer);
void http_reply_problem(struct http_request *request, const struct http_problem *problem);
/* The short form. */
void http_reply_error(struct http_request *request, uint16_t status, const char *code, const char *detail);
void http_reply_fault(struct http_request *request, const struct fault *fault);
/* 200 and JSON that lies in request->text. */
void http_reply_json(struct http_request *request, uint16_t status);

/* The tables. `by_header`: the expectation came from If-Match. */
uint16_t http_status_of_fault(const struct fault *fault);
uint16_t http_status_of_outcome(const struct outcome *outcome, bool by_header);
const char *http_status_title(uint16_t status);

#endif
