/* SPDX-License-Identifier: MIT */
/* Asking the engine and waiting for the answer: for callers that have a thread of their own to spend. */
#ifndef MOONLOG_DAEMON_ASK_H
#define MOONLOG_DAEMON_ASK_H

#include "core/engine.h"

/*
 * Waits until `done` was called. Both fill `done` themselves; the rest of the node is the caller's, as
 * engine.h says.
 */
void ask_execute(struct engine *engine, struct engine_command *command);
void ask_read(struct engine *engine, struct engine_read *read);

void ask_reload(struct engine *engine, struct engine_reload *reload);

#endif
