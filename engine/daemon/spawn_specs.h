/* SPDX-License-Identifier: MIT */
/*
 * Specs for the engine (core/specs.h): `moonlog test FOLDER`, this very program, in a process of its own, at low
 * priority. Specs are stock Lua with all libraries: what they do is theirs alone, and they are killed when their time
 * is over or the daemon stops.
 */
#ifndef MOONLOG_DAEMON_SPAWN_SPECS_H
#define MOONLOG_DAEMON_SPAWN_SPECS_H

#include "core/specs.h"

struct spawn_specs {
	struct specs_runner runner; /* for engine_parts */
	int64_t limit_ms;
};

void spawn_specs_init(struct spawn_specs *spawn, int64_t limit_ms);

#endif
