/* SPDX-License-Identifier: MIT */
/* Orders and trials: to the daemon when one runs on the data directory, else to an engine opened for this one call. */
#ifndef MOONLOG_DAEMON_DOOR_H
#define MOONLOG_DAEMON_DOOR_H

#include "daemon/admin.h"
#include "daemon/config.h"
#include "daemon/wire.h"

enum door_kind {
	DOOR_ORDERS, /* takes the store's lock and runs the projections */
	DOOR_TRIAL   /* read-only; without a data directory on an empty store */
};

struct door {
	const char *directory; /* NULL: none is configured */
	bool remote;
	struct wire wire;
	struct admin admin;
};

/* Owns: the engine, until door_close (also after a failure). Fails: as wire_open, setup_domains. */
int door_open(struct door *door, const struct config *config, enum door_kind kind, struct fault *fault);
/* One verb of admin.h. Appends its JSON. Fails: as client_ask, admin_call. */
int door_ask(struct door *door, const char *method, const char *path, struct slice body, struct buf *out,
	     struct fault *fault);
void door_close(struct door *door);

#endif
