/* SPDX-License-Identifier: MIT */
/* Puts an engine together from its rooms: the store, the read models, the scripts. The only file that names them. */
#ifndef MOONLOG_DAEMON_WIRE_H
#define MOONLOG_DAEMON_WIRE_H

#include "core/engine.h"

struct wire {
	char *data;         /* NULL: in memory */
	struct arena arena; /* names for the bus */
	struct store *store;
	struct engine *engine;
	char *last_view; /* the file of the read model that was opened last */
	bool watched;
};

struct wire_options {
	const char *data;                 /* the data directory, made when absent; NULL: everything in memory */
	bool must_exist;                  /* a store must be there already */
	bool trial;                       /* for dry runs: nothing is recorded or projected, no lock is taken */
	const struct specs_runner *specs; /* of engine_parts */
	int watchdog_signal;              /* that stops rules over their limit; 0: none, they run under a count hook */
	struct engine_limits limits;
	bool send;           /* false: no message leaves, nothing is heard */
	const char *service; /* NULL: moonlog */
	/* Fills in the bus, when it is not the local one; called when the store is open. NULL: local. */
	int (*open_bus)(void *self, struct slice store_id, struct engine_parts *parts, struct fault *fault);
	void *bus_self;
	uint64_t remember_ids;
	int64_t remember_us;
	/* Called once, on a thread of the engine's, when the store can take no more commits. May be NULL. */
	void (*fatal)(void *self, const struct fault *fault);
	void *self;
};

/* Owns: store and engine, until wire_close (also after a failure). Fails: as sqlite_open, engine_open. */
int wire_open(struct wire *wire, const struct wire_options *options, struct fault *fault);
/* engine_add_domain; a read model that cannot be read any more is made anew from the log. */
int wire_add_domain(struct wire *wire, const char *folder, struct fault *fault);
/* The engine must have been drained, or hold nothing. */
void wire_close(struct wire *wire);

#endif
