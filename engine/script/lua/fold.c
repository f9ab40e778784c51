/* SPDX-License-Identifier: MIT */
/*
 * Promises: recorded events become a state through the authors' `apply`, in order, each from the bytes that
 * the log holds, brought up to date first: its pieces are applied one after the other. An event that the rules do not
 * know stops the fold by name; none is skipped [I7].
 *
 * Recorded data is not checked against its schema again: it was when it was decided, and its digest says that
 * it did not change since.
 */
#include <lauxlib.h>

#include "script/lua/machine.h"

struct moon_meta
moon_meta_recorded(const struct recorded_entry *entry)
{
	return (struct moon_meta){
		.active = true,
		.type = entry->type,
		.stream = entry->stream,
		.version = entry->version,
		.position = entry->position,
		.time_us = entry->recorded_at_us,
		.id = &entry->id,
		.piece = 1,
		.pieces = 1,
	};
}

/* An author's state may have metamethods; what the engine keeps in it knows none. */
static int
raw_get(lua_State *L, int index, const char *field)
{
	index = lua_absindex(L, index);
	lua_pushstring(L, field);
	return lua_rawget(L, index);
}

static void
raw_set(lua_State *L, int index, const char *field)
{
	index = lua_absindex(L, index);
	lua_pushstring(L, field);
	lua_insert(L, -2);
	lua_rawset(L, index);
}

/* ---- events that the engine makes ---- */

/* Pushes what the engine keeps of a process, made where there is nothing yet. */
static void
push_process(lua_State *L, int state)
{
	if (raw_get(L, state, MOON_PROCESS) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_createtable(L, 0, 2);
	lua_pushvalue(L, -1);
	raw_set(L, state, MOON_PROCESS);
}

static void
push_compensation(lua_State *L, int state, int data)
{
	push_process(L, state);
	if (raw_get(L, -1, "compensations") != LUA_TTABLE) {
		lua_pop(L, 1);
		json_new_array(L, 1);
		lua_pushvalue(L, -1);
		raw_set(L, -3, "compensations");
	}
	lua_pushvalue(L, data);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* state, data on top -> the state after. */
static void
apply_own(lua_State *L, enum moon_own own)
{
	int data = lua_gettop(L), state = data - 1;
	switch (own) {
	case OWN_NONE:
	case OWN_STARTED:
		break;
	case OWN_SAVED:
		lua_replace(L, state);
		return;
	case OWN_COMPLETED:
		push_process(L, state);
		lua_pushboolean(L, 1);
		raw_set(L, -2, "completed");
		break;
	case OWN_PUSHED:
		push_compensation(L, state, data);
		break;
	case OWN_UNDONE:
		push_process(L, state);
		lua_pushnil(L);
		raw_set(L, -2, "compensations");
		break;
	}
	lua_settop(L, state);
}

/* ---- events of authors ---- */

static void
apply_authors(lua_State *L, struct moon_machine *machine, uint16_t aggregate, uint16_t event)
{
	uint32_t handler = machine->program->aggregates[aggregate].events[event].apply;
	moon_push_handler(L, machine, handler);
	lua_insert(L, -3);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->meta_object);
	lua_call(L, 3, 1);
	if (lua_type(L, -1) != LUA_TTABLE)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "apply of %s gives %s; it must return the state",
			  machine->program->door.aggregates[aggregate].events[event].name.data,
			  lua_isnil(L, -1) ? "nothing" : luaL_typename(L, -1));
}

/* `apply` neither sees nor loses what the engine keeps beside an author's state. */
static void
apply_process(lua_State *L, struct moon_machine *machine, uint16_t aggregate, uint16_t event)
{
	int state = lua_gettop(L) - 1;
	if (raw_get(L, state, MOON_PROCESS) == LUA_TNIL) {
		lua_pop(L, 1);
		apply_authors(L, machine, aggregate, event);
		return;
	}
	lua_insert(L, state);
	lua_pushnil(L);
	raw_set(L, state + 1, MOON_PROCESS);
	apply_authors(L, machine, aggregate, event);
	lua_insert(L, state);
	raw_set(L, state, MOON_PROCESS);
}

void
moon_apply(lua_State *L, struct moon_machine *machine, uint16_t aggregate, uint16_t event)
{
	enum moon_own own = machine->program->aggregates[aggregate].events[event].own;
	if (own != OWN_NONE)
		apply_own(L, own);
	else if (machine->program->door.aggregates[aggregate].process)
		apply_process(L, machine, aggregate, event);
	else
		apply_authors(L, machine, aggregate, event);
}

struct fold_call {
	struct moon_machine *machine;
	uint16_t aggregate;
	script_state state;
	const struct recorded_entry *entries;
	size_t count;
	size_t *folded;
};

/* The state on top becomes the one after the entry. */
static void
fold_entry(lua_State *L, const struct fold_call *call, const struct recorded_entry *entry)
{
	struct moon_pieces pieces;
	moon_pieces_open(L, call->machine, call->aggregate, entry, &pieces);
	if (pieces.plain) {
		moon_apply(L, call->machine, call->aggregate, pieces.event);
		return;
	}
	int state = lua_gettop(L) - 1;
	for (unsigned i = 0; i < pieces.count; i++) {
		lua_pushvalue(L, state);
		uint16_t event = moon_piece_push(L, call->machine, call->aggregate, &pieces, i, state + 1);
		moon_apply(L, call->machine, call->aggregate, event);
		lua_replace(L, state);
	}
	lua_settop(L, state);
}

static int
fold_body(lua_State *L)
{
	struct fold_call *call = vm_request(L);
	luaL_checkstack(L, 16, NULL);
	moon_state_push(L, call->machine, call->state);
	for (size_t i = 0; i < call->count; i++) {
		if (call->entries[i].kind == ENTRY_EVENT)
			fold_entry(L, call, &call->entries[i]);
		*call->folded = i + 1;
	}
	moon_state_set(L, call->machine, call->state);
	return 0;
}

int
moon_fold(struct script_machine *door, uint16_t aggregate, script_state state, const struct recorded_entry *entries,
	  size_t count, size_t *folded, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct fold_call call = { machine, aggregate, state, entries, count, folded };
	struct moon_meta outer = machine->meta; /* a decision may be waiting for this fold */
	int result = moon_protect(machine, fold_body, &call, fault);
	machine->meta = outer;
	if (result != 0 && fault != NULL && *folded < count && fault->class == FAULT_SCRIPT)
		fault_prefix(fault, "%.*s version %llu", SLICE_ARG(entries[*folded].stream),
			     (unsigned long long)entries[*folded].version);
	return result;
}
