/* SPDX-License-Identifier: MIT */
/*
 * What reacts of a domain: one thread with its consumers, one for each reactor of the active rules, and its timers.
 * After a change of rules consumers go and come; each message is decided wholly by one generation.
 *
 * Threads: open, start, stop and close by one; what says "any thread" by any.
 */
#ifndef MOONLOG_CORE_REACTING_H
#define MOONLOG_CORE_REACTING_H

#include "core/consumer.h"
#include "core/firing.h"
#include "core/inside.h"

struct reacting;

/* One a domain, into engine->reacting; none where the parts do not say how the log is heard. Fails: as firing_open. */
int reacting_open(struct engine *engine, struct fault *fault);
int reacting_start(struct engine *engine, struct fault *fault);
/* What was given in is answered when this returns; committer and workers must still run. */
void reacting_stop(struct engine *engine);
void reacting_close(struct engine *engine);

/* The log has grown, or rules have changed. `reacting` may be NULL. Any thread, cheap. */
void reacting_wake(struct reacting *reacting);

/* Appends a JSON array of all consumers. true unless one is halted, or could not be opened. Any thread. */
bool reacting_write(struct engine *engine, struct buf *out);
void reacting_metrics(struct engine *engine, struct buf *out);
/* Gives an order to the consumer `whole` ("domain.reactor"). Fails: INPUT "no_such_reactor"; BUSY. Any thread. */
int reacting_order(struct engine *engine, struct slice whole, struct consumer_order *order, struct fault *fault);

#endif
