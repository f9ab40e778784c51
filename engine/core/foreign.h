/* SPDX-License-Identifier: MIT */
/*
 * The other streams of the domain that a decision reads by ctx:load. Their states come from the worker's cache as of
 * some version and are caught up from the store; afterwards they go back into it, always as ones that may be behind,
 * for another worker may own the stream. What the decision wrote to them is told to their owners.
 *
 * Thread: the worker's.
 */
#ifndef MOONLOG_CORE_FOREIGN_H
#define MOONLOG_CORE_FOREIGN_H

#include "core/worker.h"

struct foreign {
	struct worker *worker;
	struct command *command;
};

/* A script_loader's load; `self` is a struct foreign. A stream that is being written is BUSY, and `wanted` tells. */
int foreign_load(void *self, uint16_t aggregate, struct slice id, script_state *state, stream_version *version,
		 struct fault *fault);
/* Puts the states of the decision's other streams back, or releases them; `recorded`: the decision was committed. */
void foreign_release(struct worker *worker, struct command *command, bool recorded);

#endif
