/* SPDX-License-Identifier: MIT */
/*
 * One request from its first byte to its last answered byte: input buffer, reader, arena, the ask that the engine gets
 * and the answer. It belongs to a connection while that lives, and to the engine while `inside`; the later of the two
 * gives it back to the server's pool. An idle connection has none.
 */
#ifndef MOONLOG_HTTP_REQUEST_H
#define MOONLOG_HTTP_REQUEST_H

#include "core/engine.h"
#include "http/reader.h"

struct http;
struct http_conn;

#define HTTP_PARAMS_MAX 40

struct http_admin_job {
	struct mail mail;
	const void *verb;
	uint16_t status;
	struct fault fault;
};

struct http_request {
	struct http *http;
	struct http_conn *conn; /* NULL: gone while the engine held the request */
	struct http_request *next_free;
	bool inside;          /* the engine or the helper holds `ask` ... */
	size_t *inside_count; /* ... and is counted here */

	struct buf in; /* begins with the request's first byte */
	size_t held;   /* of `in`, as counted in http->bodies_held */
	struct http_reader reader;
	struct arena arena;
	int64_t begun_ns;

	/* taken apart */
	enum http_method method; /* HEAD reads as GET: see head_only */
	bool head_only;
	struct slice method_text;
	struct slice path;  /* raw */
	struct slice query; /* raw, without the question mark */
	struct slice body;
	struct script_param params[HTTP_PARAMS_MAX];
	size_t param_count;
	struct route_match match;

	/* the ask; every member begins with its mail */
	union {
		struct mail mail;
		struct engine_command command;
		struct engine_read read;
		struct http_admin_job job;
	} ask;
	void (*answered)(struct http_request *request); /* the ask came back; on the loop, only while conn lives */

	/* the answer: written lead, body, tail; then `written` if any is called for the next piece */
	struct buf lead;
	struct buf text; /* what `body` usually lies in */
	struct slice body_out;
	struct slice tail;
	size_t sent;
	uint16_t status;
	bool close; /* after this answer */
	void (*written)(struct http_request *request);

	/* following the log or paging through it: follow.c */
	struct http_follow {
		struct buf page; /* the page being asked for while `text` is written */
		bool asked;
		bool asking;  /* inside the call that asks */
		bool refused; /* the engine did not take it */
		bool ready;
		bool sending;
		bool ended;
		bool waiting; /* for the log to grow */
		bool events;  /* text/event-stream */
		bool live;    /* does not end at the head */
		bool upcast;  /* pieces instead of what was recorded */
		log_position from;
		struct slice domain;
		char domain_text[STREAM_WORD_MAX];
		bool published;
		int64_t spoke_ns; /* when something was last written */
		struct http_request *next_waiting;
		struct http_request **link_waiting; /* who points at us; NULL: not listed */
	} follow;
};

/* From the pool or new; NULL without memory. */
struct http_request *http_request_take(struct http *http, struct http_conn *conn);
void http_request_give_back(struct http_request *request);
/* For the next request on the same connection: what was received beyond this one moves to the front. */
void http_request_next(struct http_request *request);
void http_request_free(struct http_request *request);
/* On and off the server's list of those that wait for the log to grow. */
void http_request_list(struct http_request *request);
void http_request_unlist(struct http_request *request);

/* Room for more input. false without memory, or when all requests together hold more than is allowed. */
bool http_request_reserve(struct http_request *request, size_t more);

/* Splits target and body out of what the reader understood. */
void http_request_open(struct http_request *request);
/* A header's value; empty when absent. *count as http_reader_field. */
struct slice http_request_field(const struct http_request *request, const char *name, size_t *count);
/* Decodes percent signs (and '+' when `form`) into the arena. Fails: INPUT "bad_target" for what is not UTF-8. */
int http_request_decode(struct http_request *request, struct slice raw, bool form, struct slice *text,
			struct fault *fault);
/* The query string's names and values into params. Fails: INPUT "bad_parameter" (twice, nameless, too many). */
int http_request_parse_query(struct http_request *request, struct fault *fault);
int http_request_add_param(struct http_request *request, struct slice name, struct slice value, struct fault *fault);
/* Takes a parameter out of params; false when it is not there. */
bool http_request_take_param(struct http_request *request, const char *name, struct slice *value);
/* The same as a number. *number stays when absent. Fails: INPUT "bad_parameter". */
int http_request_take_number(struct http_request *request, const char *name, uint64_t *number, struct fault *fault);
/* The same as 1 or true, 0 or false; nothing after the name is 1; false when absent. */
int http_request_take_switch(struct http_request *request, const char *name, bool *on, struct fault *fault);
/* All parameters must have been taken. Fails: INPUT "unknown_parameter". */
int http_request_no_params(const struct http_request *request, struct fault *fault);
/* Does the client's Accept allow this type? `type` as "application/json". */
bool http_request_accepts(const struct http_request *request, const char *type);

#endif
