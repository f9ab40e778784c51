/* SPDX-License-Identifier: MIT */
/*
 * The verbs of the daemon's own socket. The command line calls them there, or straight when no daemon runs and it
 * holds the lock itself: one table, two ways in.
 */
#ifndef MOONLOG_DAEMON_ADMIN_H
#define MOONLOG_DAEMON_ADMIN_H

#include "core/engine.h"
#include "http/server.h"

#define ADMIN_VERBS 14

struct admin {
	struct engine *engine;
	const char *address;      /* of the HTTP listener; NULL: none */
	int64_t started_ns;       /* monotonic */
	void (*stop)(void *self); /* NULL: there is nothing to stop */
	void *self;
	struct http_admin_verb verbs[ADMIN_VERBS];
};

/* Fills `verbs`, which live as long as `admin`. */
void admin_open(struct admin *admin);
/* Runs the verb of a request on this thread. Appends its JSON to `out`. Fails: INPUT "no_such_route"; as the verb does. */
int admin_call(const struct admin *admin, const char *method, const char *path, struct slice body, struct buf *out,
	       struct fault *fault);

#endif
