/* SPDX-License-Identifier: MIT */
/*
 * What scripts see: the allow-list, frozen libraries, strict globals. All functions here are for use inside vm_protect.
 */
#ifndef MOONLOG_SCRIPT_LUA_SANDBOX_H
#define MOONLOG_SCRIPT_LUA_SANDBOX_H

#include <lua.h>

#include "base/slice.h"

/* The allow-list: the one source of truth, also of the editor definitions. library "" holds the globals. */
enum sandbox_kind { SANDBOX_STOCK, SANDBOX_OWN, SANDBOX_VALUE };

struct sandbox_name {
	const char *library;
	const char *name;
	enum sandbox_kind kind;
	lua_CFunction function; /* SANDBOX_OWN only */
	const char *usage;      /* "(s, pattern [, init]) -> string?, integer"; NULL for values */
	const char *doc;        /* one line */
};

const struct sandbox_name *sandbox_names(size_t *count);

/* Builds the sandbox in a new state; called once, by vm_new. */
void sandbox_open(lua_State *L);

/*
 * Compiles `source` as text (never bytecode) under the chunk name `name` ("bank/account.lua", without "@") and pushes
 * the function, its globals set to the sandbox. Gives LUA_OK, or another status with the message pushed instead.
 */
int sandbox_load(lua_State *L, struct slice name, struct slice source);

/* Replaces the table on top by a read-only view of it. Tables inside stay as they are. */
void sandbox_freeze(lua_State *L);
/* The same for it and all tables inside (no cycles; keys untouched). For settings and other host data. */
void sandbox_freeze_deep(lua_State *L);
/* When the value at `index` is such a view: pushes the table behind and gives true. Else pushes nothing. */
bool sandbox_thaw(lua_State *L, int index);

/* Text of the value at `index` as `tostring` gives it (no addresses; runs __tostring): pushes it. */
void sandbox_tostring(lua_State *L, int index);

#endif
