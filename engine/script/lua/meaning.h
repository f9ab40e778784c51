/* SPDX-License-Identifier: MIT */
/*
 * The hash of what a value of an author's file means: of plain data its canonical form, of a function its text and all
 * that it reaches through its upvalues. Two loads of sources in which the same is said elsewhere give the same hash.
 */
#ifndef MOONLOG_SCRIPT_LUA_MEANING_H
#define MOONLOG_SCRIPT_LUA_MEANING_H

#include <lua.h>

#include "base/digest.h"
#include "script/script.h"

struct meaning {
	lua_State *L;
	const struct source_set *sources; /* in which the functions are written */
	struct digest_state *state;
	int seen;    /* stack index of a table: tables and functions met so far -> number */
	int count;   /* of them */
	bool opaque; /* met something whose meaning cannot be told: the hash says nothing */
};

/* Pushes what it needs, so the stack is one higher until the caller pops it. Inside vm_protect. */
void meaning_begin(struct meaning *meaning, lua_State *L, const struct source_set *sources, struct digest_state *state);
/* Adds the value at `index`. */
void meaning_add(struct meaning *meaning, int index);
/* The same for a field of the table at `index`; an absent one counts as such. */
void meaning_add_field(struct meaning *meaning, int index, const char *field);

#endif
