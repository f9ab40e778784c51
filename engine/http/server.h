/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server: one loop thread that reads requests, hands them to the engine and writes its answers. Also the
 * daemon's own socket, which the loop serves with a table of verbs that the daemon brings.
 *
 * Life: http_open, http_listen..., http_run on a thread of the caller's, http_stop from any thread, http_run
 * returns, then engine_drain, http_admin_stop (orders use engine and store until they end) and engine_close, then
 * http_close: what the engine still holds of a cut request must come back first.
 */
#ifndef MOONLOG_HTTP_SERVER_H
#define MOONLOG_HTTP_SERVER_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/entropy.h"
#include "base/fault.h"
#include "http/limits.h"

struct engine;
struct http;

struct http_options {
	struct engine *engine; /* NULL: only the admin socket and /healthz answer */
	const struct clock *clock;
	const struct entropy *entropy;
	struct http_limits limits;
	struct slice environment; /* "production", "development": what health routes tell; must outlive the server */
};

/* What a verb of the admin socket is given and gives back. */
struct http_admin_call {
	struct slice path;  /* without query string */
	struct slice query; /* raw, after the question mark */
	struct slice body;
	struct buf *out; /* the answer's JSON */
	uint16_t status; /* 200 unless the verb sets it; ignored when it fails */
};

#define HTTP_HELPERS 4 /* numbered from 1 */

struct http_admin_verb {
	const char *method;
	const char *path; /* exact, or a prefix when it ends in '/' */
	unsigned helper;  /* runs on this helper's thread, one after the other; 0: on the loop, and must not block */
	int (*run)(void *self, struct http_admin_call *call, struct fault *fault);
	void *self;
};

/* Does the server answer this path itself, whatever the domains' routes say? Any thread. */
bool http_owns_path(struct slice path);

/* Takes what it needs of the options; `options->limits` all zero means the defaults. Fails: MEMORY, AWAY. */
int http_open(const struct http_options *options, struct http **http, struct fault *fault);
/* "127.0.0.1:8080", "[::1]:8080", "localhost:0"; port 0 takes a free one. Before http_run. Fails: CONFIG "bad_address",
 * "cannot_listen". */
int http_listen(struct http *http, const char *address, struct fault *fault);
/* A unix socket with mode 0600; a stale one is replaced, one that answers is not: CONFIG "cannot_listen". `verbs` must
 * outlive the server. */
int http_listen_admin(struct http *http, const char *path, const struct http_admin_verb *verbs, size_t count,
		      struct fault *fault);
/* "127.0.0.1:41234": of the first TCP listener; empty before. */
const char *http_address(const struct http *http);
/* Serves until http_stop has been heard and every connection has ended or been cut. */
void http_run(struct http *http);
/* Takes no new connection; requests inside are answered with Connection: close; what is left after grace_ms is cut. Any
 * thread, also a signal's. */
void http_stop(struct http *http, unsigned grace_ms);
/* Slow orders of the daemon's own socket are over when this returns. After http_run and engine_drain. */
void http_admin_stop(struct http *http);
void http_close(struct http *http);

#endif
