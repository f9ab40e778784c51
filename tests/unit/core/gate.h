/* SPDX-License-Identifier: MIT */
/* A gate before a real store's commits: holds them, or lets them fail in the ways that a store may. */
#ifndef MOONLOG_TESTS_CORE_GATE_H
#define MOONLOG_TESTS_CORE_GATE_H

#include <stdatomic.h>

#include "store/store.h"

enum gate_way { GATE_THROUGH, GATE_UNKNOWN, GATE_FULL };

struct gate {
	struct store_ops ops;
	const struct store_ops *behind;
	_Atomic bool closed;
	_Atomic int way;
	_Atomic size_t arrived; /* commits that have come to the gate */
	_Atomic size_t largest; /* group */
};

/* One gate at a time; it must outlive the engine over the store. */
void gate_put(struct gate *gate, struct store *store);
/* Closed: the next commits wait. Opened: all go on. */
void gate_close(struct gate *gate);
void gate_open(struct gate *gate);
/* Waits until so many commits have come to it. */
void gate_wait_for(struct gate *gate, size_t arrived);

#endif
