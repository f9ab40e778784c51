/* SPDX-License-Identifier: MIT */
/* The server's one loop: what all files of this room share. Everything here belongs to the loop's thread
 * unless said. */
#ifndef MOONLOG_HTTP_LOOP_H
#define MOONLOG_HTTP_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/spin.h"
#include "core/engine.h"
#include "http/request.h"
#include "http/server.h"

#define HTTP_TICK_MS 100

struct http_address_count; /* address.c */

struct http_listener {
	struct http *http;
	struct http_listener *next;
	int fd;
	bool admin;
	char *path; /* of a unix socket, removed at close */
	struct event accept;
};

struct http_counters { /* /metrics */
	uint64_t accepted;
	uint64_t turned_away; /* by the connection limits */
	uint64_t refused;     /* by the reader */
	uint64_t timed_out;
	uint64_t answers[6]; /* by status / 100 */
	uint64_t bytes_out;
};

/* A thread for orders that take long; started by its first one. */
struct http_helper {
	struct http *http;
	struct mailbox jobs;
	pthread_t thread;
	bool runs;
};

struct http {
	struct http_options options;
	struct event_base *base;
	struct event *tick;
	struct event *wake;
	int wake_fd;
	atomic_bool awake;         /* the loop looks at its mail before it sleeps, or a wake is under way */
	atomic_uint stop_grace_ms; /* any thread */
	atomic_bool stop;          /* any thread */
	struct mailbox box;        /* any thread gives: asks that came back */
	struct waker waker;

	struct http_listener *listeners;
	char address[80];
	struct http_conn *conns;
	size_t conn_count;
	struct http_address_count **addresses;
	struct http_request *pool;
	size_t pooled;
	uint64_t bodies_held;
	size_t commands_inside;
	size_t reads_inside;
	int64_t accept_again_ns; /* 0: accepting */

	struct spin spin; /* of waits for the answer of a lone command */
	bool draining;
	bool ended;
	int64_t drain_end_ns;
	int64_t date_second;
	char date[40]; /* "Sat, 21 Nov 2026 10:00:00 GMT" */
	struct http_counters counters;

	struct engine_watch watch; /* wakes the loop when the log grows and someone follows it */
	bool watching;
	atomic_bool log_grew; /* any thread */
	struct http_request *followers;

	const struct http_admin_verb *verbs;
	size_t verb_count;
	struct http_helper helpers[HTTP_HELPERS];

	/* The complete request; must answer by http_conn_send or set `inside`. Set by server.c. */
	void (*dispatch)(struct http_request *request);
	void (*dispatch_admin)(struct http_request *request);
};

static inline int64_t
http_now(const struct http *http)
{
	return clock_mono_ns(http->options.clock);
}

/* The loop works: whoever gives it mail now need not wake it. Called where a round of the loop begins. */
static inline void
http_stir(struct http *http)
{
	if (!atomic_load_explicit(&http->awake, memory_order_relaxed))
		atomic_store(&http->awake, true);
}

/* Gives the current Date header's value. */
const char *http_date(struct http *http);
/* Any thread. */
void http_wake(struct http *http);

#endif
