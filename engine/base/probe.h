/* SPDX-License-Identifier: MIT */
/*
 * Named points where tests make the process die, pause or fail: MOONLOG_PROBE="name:count:kill|fail|pause_ms=N[,...]"
 * acts at the count-th pass. Compiled in always (a pass is one relaxed load when unset), read once at start by daemon/.
 * Names are written at their place: PROBE("commit.before_sync").
 */
#ifndef MOONLOG_BASE_PROBE_H
#define MOONLOG_BASE_PROBE_H

#include <stdatomic.h>
#include <stdbool.h>

extern atomic_bool probe_armed;

/* true when the caller must behave as if the step failed. */
bool probe_hit(const char *name);
/* Gives 0, or -1 when the text cannot be understood. */
int probe_setup(const char *text);

/* In place of the table, once probe_armed is set: for simulations of several processes in one. NULL: none. */
extern bool (*probe_hook)(const char *name);

#define PROBE(name) (atomic_load_explicit(&probe_armed, memory_order_relaxed) && probe_hit(name))

#endif
