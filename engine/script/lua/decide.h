/* SPDX-License-Identifier: MIT */
/* One decision while it is made: what decide.c reads and answers, and what decide_take.c records of it. */
#ifndef MOONLOG_SCRIPT_LUA_DECIDE_H
#define MOONLOG_SCRIPT_LUA_DECIDE_H

#include "script/lua/machine.h"

#define DECISION_STREAMS_MAX 64

struct touched_stream {
	uint16_t aggregate;
	struct slice id;
	struct slice name;
	stream_version version;
	script_state state; /* the copy */
	uint32_t events;
	bool written;
	bool meta_touched;
};

struct deciding {
	struct moon_machine *machine;
	const struct decide_request *request;
	struct arena *arena;
	struct decided *out;
	uint32_t handler;
	struct touched_stream streams[DECISION_STREAMS_MAX];
	size_t stream_count;
	struct new_entry *entries;
	size_t entry_count;
	size_t entry_room;
	size_t bytes;
	struct reservation *reservations;
	size_t reservation_count;
	size_t reservation_room;
	int handles; /* registry: table of what ctx:load gave -> stream number */
	bool folding;
};

/* Stack indexes while a decision is made. */
enum { AT_STATE = 2, AT_DATA, AT_EVENTS, AT_REPLY, AT_REFUSAL };

/* The handler's events at AT_EVENTS: checked, encoded, kept as entries, folded into the streams' copies. */
void moon_take_events(lua_State *L, struct deciding *d);

#endif
