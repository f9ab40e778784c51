/* SPDX-License-Identifier: MIT */
/* The daemon's life, for the verbs that run one. */
#ifndef MOONLOG_DAEMON_SERVE_H
#define MOONLOG_DAEMON_SERVE_H

#include "core/engine.h"
#include "daemon/verb.h"

/* What a verb adds to it. Both are called on the main thread; either may be NULL. */
struct serve_hooks {
	/* Everything runs. Fails: the daemon stops. */
	int (*ready)(void *self, struct engine *engine, const char *address, struct fault *fault);
	void (*stopping)(void *self); /* the engine is still there; only after `ready` was called */
	void *self;
};

/* Serves the domains in the call's settings until it is told to stop. `hooks` may be NULL. */
enum exit_code serve_run(struct call *call, const struct serve_hooks *hooks);

#endif
