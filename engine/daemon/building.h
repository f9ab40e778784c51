/* SPDX-License-Identifier: MIT */
/* Following a read model that a daemon makes beside the one that is read, from outside. */
#ifndef MOONLOG_DAEMON_BUILDING_H
#define MOONLOG_DAEMON_BUILDING_H

#include "daemon/door.h"

struct building_end {
	bool live;     /* its rows are read now; else `reason` says why not */
	bool compared; /* with the rows before: */
	uint64_t rows_differ;
	char reason[1024];
};

/*
 * Waits until the domain's build `number`, or the one that took its place, has ended; shows progress under `title`.
 * Fails: as door_ask does.
 */
int building_wait(struct door *door, struct slice domain, uint64_t number, const char *title, struct building_end *end,
		  struct fault *fault);

#endif
