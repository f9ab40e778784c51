/* SPDX-License-Identifier: MIT */
/* One reaction while it is made: react.c finds and calls handlers, react_take.c does what they ask for. */
#ifndef MOONLOG_SCRIPT_LUA_REACT_H
#define MOONLOG_SCRIPT_LUA_REACT_H

#include "script/lua/decide.h"

#define REACT_ACTIONS_MAX 1000
#define REACT_DEPTH_MAX   8 /* actions that answer refusals of actions */

struct reacting {
	struct deciding d;
	const struct react_request *request;
	const struct moon_reactor *reactor; /* NULL: a timer */
	int process;                        /* aggregate; -1: none */
	uint32_t own;                       /* stream of the process */
	uint32_t handler;                   /* whose actions are done */
	struct moon_meta meta;              /* what it and its `refused` functions see */
	size_t actions;
	unsigned depth;
};

/* ---- react_take.c ---- */

/* What a handler gave, list and second result at `index` and the next: does it. */
void moon_react_take(lua_State *L, struct reacting *r, int index);
/* A command with its data on top, popped; its refusal is counted. */
void moon_react_command(lua_State *L, struct reacting *r, uint16_t aggregate, uint16_t command, struct slice id);
/* Records one of the engine's events of the process; its data on top, popped. */
void moon_react_own(lua_State *L, struct reacting *r, enum moon_own own);

/* ---- react.c ---- */

/* ctx and meta mean the handler that reacts again, after a command's ran. */
void moon_react_face(struct reacting *r);

#endif
