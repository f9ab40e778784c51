/* SPDX-License-Identifier: MIT */
/* Orders about dead letters: those of messages go to their consumer, those of timers are carried out here. */
#ifndef MOONLOG_CORE_ORDERS_H
#define MOONLOG_CORE_ORDERS_H

#include "core/consumer.h"

struct engine;

/* What came of an order. */
struct orders_outcome {
	uint64_t settled; /* letters that are there no more */
	uint64_t failed;  /* that failed again */
};

/*
 * RETRY or DROP of a dead letter of `whole` ("domain.reactor", or "domain.aggregate" of a timer), or of all when
 * `letter` is empty; SKIP of what is held (consumer.h), then it is. Waits for the end. A timer that is retried falls due at once. Fails: INPUT "no_such_reactor",
 * "no_such_letter"; BUSY. Thread: any but the engine's own.
 */
int engine_dead_letters(struct engine *engine, struct slice whole, enum consumer_wish wish, struct slice letter,
			struct orders_outcome *outcome, struct fault *fault);

#endif
