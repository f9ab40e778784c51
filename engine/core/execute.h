/* SPDX-License-Identifier: MIT */
/* The path of one command through a worker: enter, run (decide), settle. */
#ifndef MOONLOG_CORE_EXECUTE_H
#define MOONLOG_CORE_EXECUTE_H

#include "core/worker.h"

/* From the mailbox into the queue of its stream. */
void execute_enter(struct worker *worker, struct command *command);
/* Its turn has come: decides, then gives the append to the committer or answers. */
void execute_run(struct worker *worker, struct command *command);
/* The committer has spoken: answers, or decides again. */
void execute_settle(struct worker *worker, struct command *command);

#endif
