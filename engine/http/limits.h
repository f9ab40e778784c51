/* SPDX-License-Identifier: MIT */
/*
 * The one table of HTTP's bounds: what configuration may set, what it is by default, and how far it may be moved.
 * Sizes are bytes, times milliseconds.
 */
#ifndef MOONLOG_HTTP_LIMITS_H
#define MOONLOG_HTTP_LIMITS_H

#include "base/fault.h"

#define HTTP_FIELDS_MAX 128 /* hard end of header_count */

struct http_limits {
	uint64_t request_line;     /* 414 */
	uint64_t header_block;     /* all header lines together: 431 */
	uint64_t header_count;     /* 431 */
	uint64_t body;             /* 413 */
	uint64_t header_ms;        /* from a request's first byte to the end of its head: 408 */
	uint64_t body_ms;          /* for the body ... */
	uint64_t body_ms_each_64k; /* ... and for each begun 64 KiB of it: 408 */
	uint64_t body_rate;        /* bytes a second on average, looked at after body_rate_after_ms: 408 */
	uint64_t body_rate_after_ms;
	uint64_t write_stall_ms;          /* a reply that moves no byte for so long, or in all takes this and the body's
					   * time for its size, is cut */
	uint64_t idle_ms;                 /* between requests */
	uint64_t requests_per_connection; /* the last one is answered with Connection: close */
	uint64_t connections;             /* 503 */
	uint64_t connections_per_address; /* 503; an IPv6 address counts by its /64 */
	uint64_t commands_in_flight;      /* 503 and Retry-After */
	uint64_t reads_in_flight;         /* 503 and Retry-After */
	uint64_t bodies_held;             /* bytes of input buffers beyond 64 KiB each, in all: 503 and Retry-After */
	uint64_t subscriber_bytes;        /* kept for one follower of the log; one that does not take them is dropped
					   * after write_stall_ms */
};

struct http_limit {
	const char *name;
	size_t offset; /* of the uint64_t in struct http_limits */
	uint64_t fallback;
	uint64_t least;
	uint64_t most;
	const char *meaning;
};

extern const struct http_limit http_limits_table[];
extern const size_t http_limits_count;

void http_limits_defaults(struct http_limits *limits);
/* Fails: CONFIG "unknown_limit", "bad_limit" naming the allowed range. */
int http_limits_set(struct http_limits *limits, struct slice name, uint64_t value, struct fault *fault);

#endif
