/* SPDX-License-Identifier: MIT */
/*
 * The memory room of the store's door: the contract's executable reading; used by specs, simulation and as an oracle.
 */
#ifndef MOONLOG_STORE_MEMORY_MEMORY_H
#define MOONLOG_STORE_MEMORY_MEMORY_H

#include "store/store.h"

/* `clock` NULL: the real one. Fails: MEMORY. */
int memory_open(const struct clock *clock, struct store **store, struct fault *fault);

#endif
