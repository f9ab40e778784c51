/* SPDX-License-Identifier: MIT */
/* From a decision to the committer. */
#ifndef MOONLOG_CORE_SUBMIT_H
#define MOONLOG_CORE_SUBMIT_H

#include "core/worker.h"

/* Makes the append of what was decided and gives it in. Fails: MEMORY; the command is still DECIDING then. */
int submit_command(struct worker *worker, struct command *command, struct fault *fault);

#endif
