/* SPDX-License-Identifier: MIT */
/*
 * The watchdog: one thread of the process that sees to it that calls into scripts end. Calls publish that they run,
 * with one store each way; the watchdog reads the clocks. Past its limit a call is condemned and its thread gets a
 * signal, whose handler sets a hook on the coroutine that runs there.
 *
 * A limit is processor time of the thread, and four times as much by the clock for a call that waits or gets no
 * processor. Without a watchdog (nobody called moon_watchdog_start) a count hook looks at the clock instead: pure Lua
 * code then takes half as long again to twice as long, and a call may go on for a hundred instructions.
 */
#ifndef MOONLOG_SCRIPT_LUA_WATCHDOG_H
#define MOONLOG_SCRIPT_LUA_WATCHDOG_H

#include <stdint.h>

#include "base/fault.h"

struct vm;

/* By the clock, as a multiple of a limit. */
#define WATCHDOG_PATIENCE 4

/* What runs on the thread around a call, to be given back when it ends. */
struct watchdog_outer {
	struct vm *vm;
	uint32_t limit_ms;
};

/* Between moon_watchdog_start and moon_watchdog_stop (lua_room.h). */
bool watchdog_runs(void);

/* Around a call of `vm`, on its thread. Fails: MEMORY (a thread's first call). */
int watchdog_enter(struct vm *vm, uint32_t limit_ms, struct watchdog_outer *outer, struct fault *fault);
void watchdog_leave(const struct watchdog_outer *outer);

#endif
