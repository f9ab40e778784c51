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

/* What is listed: each gives 0 to go on, 1 for enough, -1 for a fault. The arena is cleared between pages. */
typedef int reading_each_record(void *self, const struct record *record, struct fault *fault);
typedef int reading_each_space(void *self, struct slice space, struct fault *fault);
/* All records of a space, by key. Gives what the last `each` gave; 0 when there was none. */
int reading_records(struct reading *reading, struct slice space, reading_each_record *each, void *self,
		    struct fault *fault);
/* All spaces whose names begin so; `each` may read records meanwhile. Gives as reading_records. */
int reading_spaces(struct reading *reading, const char *prefix, reading_each_space *each, void *self,
		   struct fault *fault);

#endif
