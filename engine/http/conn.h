/* SPDX-License-Identifier: MIT */
/*
 * One client's connection: reads one request, waits for its answer, writes it, goes on or closes. Absolute deadlines.
 */
#ifndef MOONLOG_HTTP_CONN_H
#define MOONLOG_HTTP_CONN_H

#include "http/loop.h"

/*
 *   IDLE -> READING -> BUSY -> WRITING -> IDLE or READING (next request), BUSY (next piece of a long answer),
 *                                         LINGER (closing while the client may still be sending) -> gone
 *   from anywhere: gone (deadline, error, drain)
 */
enum http_conn_state { CONN_IDLE, CONN_READING, CONN_BUSY, CONN_WRITING, CONN_LINGER };

struct http_conn {
	struct http *http;
	struct http_conn *next;
	struct http_conn **link; /* who points at us */
	struct http_request *request;
	struct http_address_count *address;
	struct event read;
	struct event write;
	int fd;
	enum http_conn_state state;
	bool admin;
	bool read_paused;
	bool pumping;
	bool dead;
	bool eof;
	bool continued;
	uint32_t served;
	uint32_t lingered;   /* bytes thrown away */
	int64_t deadline_ns; /* 0: none */
	int64_t begun_ns;    /* of the request, then of its body, then of the answer's piece */
	int64_t piece_end_ns;
};

/* Takes the socket over. */
void http_conn_open(struct http *http, int fd, bool admin, struct http_address_count *address);
/* The request's lead, body_out and tail are filled: write them. */
void http_conn_send(struct http_request *request);
/* The client is gone or must go, now. The request inside, if any, is detached. */
void http_conn_drop(struct http_conn *conn);
/* Deadlines and drain; called each tick. */
void http_conn_sweep(struct http *http, int64_t now_ns);

#endif
