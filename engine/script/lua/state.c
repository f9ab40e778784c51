/* SPDX-License-Identifier: MIT */
/*
 * Decoded states that stay in a machine: slots of one Lua table, handed out as small integers. Letting a slot go
 * writes only to keys that exist, so it needs no protection and takes no memory.
 *
 * A slot's number carries the machine's epoch: when a state was killed or ran out of memory and the machine got a new
 * one, every slot of the old one is known to be gone rather than taken for another.
 *
 * Copies are made in C over raw tables: a handler may change what it was given, and what it was given must not change
 * what is folded. What a decision folded is looked through before it counts, so that nothing is recorded whose state
 * could not be kept, copied or shown.
 */
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "script/lua/machine.h"

#define COPY_DEPTH_MAX 64

static int
slot_of(script_state state)
{
	return (int)(state & 0x7fffffff);
}

bool
moon_state_held(const struct moon_machine *machine, script_state state)
{
	return !machine->vm->spent && state >> 32 == machine->epoch;
}

static void
check_held(lua_State *L, const struct moon_machine *machine, script_state state)
{
	if (state >> 32 != machine->epoch)
		moon_fail(L, 0, FAULT_BUSY, "state_gone", "the state was dropped with the machine that kept it");
}

script_state
moon_state_keep(lua_State *L, struct moon_machine *machine)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->states);
	lua_insert(L, -2);
	int slot = luaL_ref(L, -2);
	lua_pop(L, 1);
	return (script_state)machine->epoch << 32 | (script_state)slot;
}

void
moon_state_push(lua_State *L, const struct moon_machine *machine, script_state state)
{
	check_held(L, machine, state);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->states);
	lua_rawgeti(L, -1, slot_of(state));
	lua_remove(L, -2);
}

void
moon_state_set(lua_State *L, const struct moon_machine *machine, script_state state)
{
	check_held(L, machine, state);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->states);
	lua_insert(L, -2);
	lua_rawseti(L, -2, slot_of(state));
	lua_pop(L, 1);
}

void
moon_state_drop(struct moon_machine *machine, script_state state)
{
	if (state == 0 || !moon_state_held(machine, state))
		return;
	lua_State *L = atomic_load_explicit(&machine->vm->running, memory_order_relaxed);
	if (!lua_checkstack(L, 4))
		return;
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->states);
	luaL_unref(L, -1, slot_of(state));
	lua_pop(L, 1);
}

static void
copy_value(lua_State *L, int depth)
{
	int type = lua_type(L, -1);
	if (type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TTHREAD)
		moon_fail(L, 0, FAULT_SCRIPT, "bad_result", "a state cannot hold a %s", lua_typename(L, type));
	if (type != LUA_TTABLE)
		return;
	if (depth == COPY_DEPTH_MAX)
		moon_fail(L, 0, FAULT_SCRIPT, "bad_result", "a state nested more than %d deep (or in a circle)",
			  COPY_DEPTH_MAX);
	luaL_checkstack(L, 8, "state nested too deeply");
	vm_check(L);
	if (sandbox_thaw(L, -1))
		lua_remove(L, -2);
	int source = lua_gettop(L), length = (int)lua_rawlen(L, source);
	lua_createtable(L, length, length > 0 ? 0 : 8);
	lua_pushnil(L);
	while (lua_next(L, source)) {
		copy_value(L, depth + 1);
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, source + 1);
	}
	if (json_is_array(L, source))
		json_mark_array(L);
	lua_remove(L, source);
}

void
moon_state_copy(lua_State *L, int index)
{
	lua_pushvalue(L, index);
	copy_value(L, 0);
}

/* ---- is it plain data? ---- */

static const char *flaw_of(lua_State *L, int depth);

static bool
is_text(lua_State *L, int index)
{
	struct slice text;
	text.data = lua_tolstring(L, index, &text.size);
	return json_utf8(text);
}

static const char *
flaw_of_table(lua_State *L, int depth)
{
	lua_Integer numbers = 0;
	bool texts = false;
	if (depth == COPY_DEPTH_MAX)
		return "nested too deeply (or in a circle)";
	luaL_checkstack(L, 8, "state nested too deeply");
	vm_check(L);
	if (sandbox_thaw(L, -1))
		lua_remove(L, -2);
	int table = lua_gettop(L);
	lua_Integer length = (lua_Integer)lua_rawlen(L, table);
	lua_pushnil(L);
	while (lua_next(L, table)) {
		if (lua_type(L, -2) == LUA_TSTRING)
			texts = true;
		else
			numbers++;
		if (lua_type(L, -2) == LUA_TSTRING ? !is_text(L, -2) : !lua_isinteger(L, -2))
			return "the key is neither a text in UTF-8 nor one of the numbers of a list";
		const char *flaw = flaw_of(L, depth + 1);
		if (flaw != NULL)
			return flaw;
		lua_pop(L, 1);
	}
	if (numbers != length || (texts && (numbers != 0 || json_is_array(L, table))))
		return "a table with numbers as keys is no list: they are not 1 to n without holes";
	return NULL;
}

/* Why the value on top has no JSON form, or NULL. The keys that lead to a flaw stay on the stack, below values. */
static const char *
flaw_of(lua_State *L, int depth)
{
	switch (lua_type(L, -1)) {
	case LUA_TTABLE:
		return flaw_of_table(L, depth);
	case LUA_TSTRING:
		return is_text(L, -1) ? NULL : "the text is not UTF-8";
	case LUA_TNUMBER:
		return lua_isinteger(L, -1) || isfinite(lua_tonumber(L, -1)) ? NULL
									     : "NaN and infinity have no JSON form";
	case LUA_TFUNCTION:
		return "a function is no data";
	case LUA_TTHREAD:
		return "a coroutine is no data";
	default:
		return NULL;
	}
}

void
moon_state_check(lua_State *L, uint32_t apply, struct slice event)
{
	int state = lua_gettop(L);
	const char *flaw = flaw_of(L, 0);
	char path[100] = "";
	size_t size = 0;
	if (flaw == NULL) {
		lua_settop(L, state - 1);
		return;
	}
	for (int at = state + 1; at < lua_gettop(L) && size < sizeof path - 24; at += 2) {
		if (lua_type(L, at) == LUA_TSTRING)
			snprintf(path + size, sizeof path - size, "%s%.20s", size != 0 ? "." : "", lua_tostring(L, at));
		else if (lua_isinteger(L, at))
			snprintf(path + size, sizeof path - size, "[%lld]", (long long)lua_tointeger(L, at));
		size += strlen(path + size);
	}
	moon_fail(L, apply, FAULT_SCRIPT, "bad_result", "the state after %.*s: %s%s%s", SLICE_ARG(event), path,
		  size != 0 ? ": " : "", flaw);
}

void
moon_state_initial(lua_State *L, struct moon_machine *machine, uint16_t aggregate)
{
	uint32_t handler = machine->program->aggregates[aggregate].initial;
	moon_push_handler(L, machine, handler);
	lua_call(L, 0, 1);
	if (lua_type(L, -1) != LUA_TTABLE)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "initial() gives a %s, not a table",
			  luaL_typename(L, -1));
}

struct state_call {
	struct moon_machine *machine;
	uint16_t aggregate;
	script_state state;
	struct slice bytes;
	struct buf *out;
};

static int
initial_body(lua_State *L)
{
	struct state_call *call = vm_request(L);
	moon_state_initial(L, call->machine, call->aggregate);
	moon_state_copy(L, -1); /* initial may give the same table each time */
	call->state = moon_state_keep(L, call->machine);
	return 0;
}

int
moon_initial(struct script_machine *door, uint16_t aggregate, script_state *state, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct state_call call = { .machine = machine, .aggregate = aggregate };
	if (moon_protect(machine, initial_body, &call, fault) != 0)
		return -1;
	*state = call.state;
	return 0;
}

static int
encode_body(lua_State *L)
{
	struct state_call *call = vm_request(L);
	struct fault fault;
	moon_state_push(L, call->machine, call->state);
	if (json_write(L, -1, call->out, NULL, &fault) != 0)
		moon_fail(L, 0, FAULT_SCRIPT, "bad_result", "state of %s: %s",
			  call->machine->program->door.aggregates[call->aggregate].name.data, fault.text);
	return 0;
}

int
moon_encode(struct script_machine *door, uint16_t aggregate, script_state state, struct buf *out, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct state_call call = { .machine = machine, .aggregate = aggregate, .state = state, .out = out };
	return moon_protect(machine, encode_body, &call, fault);
}

static int
decode_body(lua_State *L)
{
	struct state_call *call = vm_request(L);
	struct fault fault;
	const struct json_limits limits = { .total_bytes = (size_t)16 << 20 };
	if (json_read(L, call->bytes, &limits, &fault) != 0)
		moon_fail_fault(L, &fault);
	if (lua_type(L, -1) != LUA_TTABLE)
		moon_fail(L, 0, FAULT_CORRUPT, "bad_state", "a kept state is no object");
	call->state = moon_state_keep(L, call->machine);
	return 0;
}

int
moon_decode(struct script_machine *door, uint16_t aggregate, struct slice bytes, script_state *state,
	    struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct state_call call = { .machine = machine, .aggregate = aggregate, .bytes = bytes };
	if (moon_protect(machine, decode_body, &call, fault) != 0)
		return -1;
	*state = call.state;
	return 0;
}
