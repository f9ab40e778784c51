/* SPDX-License-Identifier: MIT */
/* What every verb that reads the store begins with: the configuration and a store opened beside the daemon. */
#ifndef MOONLOG_DAEMON_READING_H
#define MOONLOG_DAEMON_READING_H

#include "daemon/verb.h"
#include "store/store.h"

struct reading {
	struct config config;
	const char *directory;
	struct store *store;
	struct store_reader *reader;
	struct arena arena; /* of one page; clear between pages */
};

/* Owns: all of it, until reading_close (also after a failure). Fails: as config_load, sqlite_open. */
int reading_open(const struct call *call, struct reading *reading, struct fault *fault);
/* The same over a configuration that was read already; takes it over. */
int reading_open_config(struct reading *reading, struct fault *fault);
void reading_close(struct reading *reading);

#endif
