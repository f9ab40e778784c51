/* SPDX-License-Identifier: MIT */
/* One run of the chain of upcasters: what upcast.c does, and what upcast_show.c keeps of it for people. */
#ifndef MOONLOG_SCRIPT_LUA_UPCAST_H
#define MOONLOG_SCRIPT_LUA_UPCAST_H

#include "script/lua/machine.h"

/* A piece on its way: of which event, in which version. */
struct moon_way {
	uint16_t event;
	uint32_t version;
};

struct moon_trace;

struct moon_chain {
	struct moon_machine *machine;
	uint16_t aggregate;
	unsigned steps;
	unsigned pieces;
	int holder;               /* stack index of the table of pieces: event, data, event, data ... */
	struct moon_trace *trace; /* may be NULL: nobody wants the steps */
};

/* As moon_pieces_open. */
void moon_chain_open(lua_State *L, struct moon_chain *chain, const struct recorded_entry *entry,
		     struct moon_pieces *pieces);

/* ---- upcast_show.c; without a trace they do nothing ---- */

/* A step of this event and version was called. */
void moon_trace_step(lua_State *L, struct moon_chain *chain, uint16_t event, uint32_t version);
/* The last step gave the data on top: one result, and the input of the next step. */
void moon_trace_data(lua_State *L, struct moon_chain *chain, struct slice type, uint32_t version);
/* The step that spreads gave a piece, whose data is on top. */
void moon_trace_piece(lua_State *L, struct moon_chain *chain, uint16_t event, uint32_t version);
/* Number of the last step. */
size_t moon_trace_last(const struct moon_chain *chain);
/* The next step's input is result `place` of `step`. */
void moon_trace_from(struct moon_chain *chain, size_t step, size_t place);

#endif
