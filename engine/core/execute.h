/* SPDX-License-Identifier: MIT */
/* The path of one command through its worker, up to the append. */
#ifndef MOONLOG_CORE_EXECUTE_H
#define MOONLOG_CORE_EXECUTE_H

#include "core/worker.h"

/* From the mailbox into the queue of its stream. */
void execute_enter(struct worker *worker, struct command *command);
/* Its turn has come: decides, then gives the append to the committer or answers. */
void execute_run(struct worker *worker, struct command *command);

/* New rules were adopted: commands that waited for them are decided. */
void execute_stranded(struct worker *worker);

/* ---- for settle.c ---- */

/* The same again, after a lost comparison. */
void execute_decide(struct worker *worker, struct command *command);
/* The answer, filled in already, goes out: the command's memory belongs to its asker again. */
void execute_finish(struct worker *worker, struct command *command);
void execute_fail(struct worker *worker, struct command *command, const struct fault *fault);

/* Events of the command's stream from one snapshot to the next. */
stream_version execute_every(const struct worker *worker, const struct command *command);

#endif
