/* SPDX-License-Identifier: MIT */
/* The engine's relay: opened with its parts, and told about. */
#ifndef MOONLOG_CORE_SENDING_H
#define MOONLOG_CORE_SENDING_H

#include "core/inside.h"

/* engine->relay, where the parts have a publisher. Before the committer's thread starts. Fails: as relay_open. */
int sending_open(struct engine *engine, struct fault *fault);
/* Appends the relay's status as an object; null when there is none. true unless it has stopped. */
bool sending_write(struct engine *engine, struct buf *out);
void sending_metrics(struct engine *engine, struct buf *out);

#endif
