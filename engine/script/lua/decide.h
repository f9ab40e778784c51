/* SPDX-License-Identifier: MIT */
/*
 * One decision while it is made: what decide.c reads and answers, and what decide_take.c records of it. A reaction is
 * a decision too, in which several commands are decided one after the other.
 */
#ifndef MOONLOG_SCRIPT_LUA_DECIDE_H
#define MOONLOG_SCRIPT_LUA_DECIDE_H

#include "script/lua/machine.h"

#define DECISION_STREAMS_MAX 64
#define MESSAGE_KEY_MAX      1024 /* as stores have them */
#define MESSAGE_HEADERS_MAX  (64 * 1024)
#define STREAM_OF_NO_STATE   UINT16_MAX /* as aggregate: only messages go to it */

struct touched_stream {
	uint16_t aggregate;
	struct slice id;
	struct slice name;
	stream_version version;
	script_state state; /* the copy */
	uint32_t events;
	bool written;
	bool meta_touched;
	bool unchecked; /* folded, and not looked through since */
	uint16_t last;  /* event that was folded */
};

struct deciding {
	struct moon_machine *machine;
	const struct decide_request *request; /* NULL: a reaction */
	const struct script_context *context;
	const struct script_loader *loader;
	struct arena *arena;
	struct decided *out;
	uint32_t handler; /* that runs, or whose result is taken */
	uint32_t own;     /* stream of the command that runs; events go there unless they say otherwise */
	bool in_command;
	struct touched_stream streams[DECISION_STREAMS_MAX];
	size_t stream_count;
	struct new_entry *entries;
	size_t entry_count;
	size_t entry_room;
	size_t bytes;
	struct reservation *reservations;
	size_t reservation_count;
	size_t reservation_room;
	struct decided_timer *timers;
	size_t timer_count;
	size_t timer_room;
	int handles; /* registry: table of what ctx:load gave -> stream number */
	bool folding;
};

/* ---- decide.c ---- */

/* Is the stream there, as the decision has it so far? */
static inline bool
moon_stream_exists(const struct touched_stream *stream)
{
	return stream->version + stream->events > 0;
}

/* What an error names: the Lua line that called us, else the handler whose result is at fault. */
static inline uint32_t
moon_decision_place(const struct deciding *d)
{
	return d->in_command ? 0 : d->handler;
}

/* A stream's number; it is loaded when it is new to the decision. Pushes a copy of its state as it is by now. */
uint32_t moon_stream_use(lua_State *L, struct deciding *d, uint16_t aggregate, struct slice id);
/* The number of a stream that only messages go to. */
uint32_t moon_stream_plain(lua_State *L, struct deciding *d, struct slice word, struct slice id);
/*
 * Runs a command's handler on the stream, whose state and the command's data are on top, and takes what it wants to
 * record. Leaves events (nil: refused), reply and refusal in their place.
 */
void moon_command_run(lua_State *L, struct deciding *d, const struct moon_command *rule, uint32_t stream);
/* Streams, entries and the rest into d->out. `all`: the states also of streams to which nothing was written. */
int moon_decision_give(struct deciding *d, bool all, struct fault *fault);
/* Lets go of what the decision still holds; after give. */
void moon_decision_end(struct deciding *d);

/* ---- decide_take.c ---- */

/* A handler's events, or what a document's gave, at `index`: checked, kept as entries, folded into the copies. */
void moon_take_events(lua_State *L, struct deciding *d, int index);
void moon_take_document(lua_State *L, struct deciding *d, int index);
/* Raises when what was folded is no plain data; after the events of a handler. */
void moon_check_states(lua_State *L, struct deciding *d);
/* The data on top, popped, as an event of the stream. */
void moon_take_event(lua_State *L, struct deciding *d, uint32_t stream, uint16_t event);

/* The message on top, popped. */
struct moon_taking {
	uint32_t handler; /* that gave it */
	uint32_t stream;
	const char *name;   /* of the field that says its type */
	struct slice topic; /* empty: the message says it */
	struct slice key;   /* when it says none; empty: the stream's id */
};
void moon_take_message(lua_State *L, struct deciding *d, const struct moon_taking *taking);
/* The list at `index`: all its keys are 1 .. count. Raises with `what` for anything else. */
lua_Integer moon_take_list(lua_State *L, uint32_t handler, int index, const char *what);
/* Refuses fields beside the named ones (NULL-ended), so that a misspelt one does not vanish. */
void moon_take_fields(lua_State *L, uint32_t handler, int index, const char *what, const char *const *names);

/* ---- decide_timer.c ---- */

/* When and with what, from the table at `index`: `after` or `at`, and `data`; 0: cancelled. Makes no entry yet. */
void moon_timer_add(lua_State *L, struct deciding *d, uint32_t stream, struct slice name, int index);
/* Entries of the timers from `from` on. */
void moon_timers_take(lua_State *L, struct deciding *d, size_t from);

/* ---- shared, decide_take.c ---- */

/* Makes room for one more in an array in the decision's arena; gives the array. */
void *moon_grow(lua_State *L, struct arena *arena, void *items, size_t count, size_t *room, size_t size);
struct new_entry *moon_add_entry(lua_State *L, struct deciding *d, size_t bytes);
int moon_raw_field(lua_State *L, int index, const char *name);

#endif
