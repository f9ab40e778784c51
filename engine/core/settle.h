/* SPDX-License-Identifier: MIT */
/* From the committer to the answer. */
#ifndef MOONLOG_CORE_SETTLE_H
#define MOONLOG_CORE_SETTLE_H

#include "core/worker.h"

/* The committer has spoken: answers, or decides again. */
void settle_command(struct worker *worker, struct command *command);

#endif
