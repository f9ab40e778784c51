/* SPDX-License-Identifier: MIT */
/* The Lua room of the script's door (PUC Lua 5.4). Exported symbols of the room start with moon_. */
#ifndef MOONLOG_SCRIPT_LUA_LUA_ROOM_H
#define MOONLOG_SCRIPT_LUA_LUA_ROOM_H

#include "script/script.h"

const struct script_ops *moon_ops(void);

/*
 * Takes a real-time signal for the process and starts the thread that stops calls over their limit (script/options.h).
 * The signal is blocked in the calling thread, hence in all that it starts, and let through by those that run rules;
 * system calls that it interrupts go on. Without it - a process whose signals are not ours - rules run under a count
 * hook that looks at the clock: the same limits, but for the time of a hundred instructions, and pure Lua code takes
 * half as long again to twice as long.
 * Before any machine is opened, and as often as moon_watchdog_stop after all are closed.
 * Fails: CONFIG "signal_taken", "bad_signal"; MEMORY.
 */
int moon_watchdog_start(int signal, struct fault *fault);
void moon_watchdog_stop(void);

#endif
