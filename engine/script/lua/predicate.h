/* SPDX-License-Identifier: MIT */
/* A question in Lua about each state of a stream: `state.balance < 0 and event.type == "MoneyWithdrawn"`. */
#ifndef MOONLOG_SCRIPT_LUA_PREDICATE_H
#define MOONLOG_SCRIPT_LUA_PREDICATE_H

#include "script/script.h"

struct moon_predicate;

/*
 * Compiles an expression over `state`, `event` (type, schema_version, data as recorded) and `meta` (stream, version,
 * position, time in microseconds, id) into a machine, in the rules' sandbox. Owns: until moon_predicate_close, before
 * the machine's end; `text` must live as long. Fails: INPUT "bad_predicate".
 */
int moon_predicate_open(struct script_machine *machine, struct slice text, struct moon_predicate **predicate,
			struct fault *fault);
void moon_predicate_close(struct moon_predicate *predicate);
/* Does it hold for the state after this event? It sees a copy of the state. Fails: SCRIPT with what it raised. */
int moon_predicate_holds(struct moon_predicate *predicate, script_state state, const struct recorded_entry *entry,
			 bool *holds, struct fault *fault);

#endif
