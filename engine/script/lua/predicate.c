/* SPDX-License-Identifier: MIT */
/*
 * The expression becomes the body of a function of three values, which are made only where their names occur in the
 * text: most questions are about the state alone, and streams are long.
 */
#include "script/lua/predicate.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "script/lua/machine.h"

struct moon_predicate {
	struct moon_machine *machine;
	struct slice text;
	int function;
	bool wants_event;
	bool wants_meta;
	/* of the call at hand */
	script_state state;
	const struct recorded_entry *entry;
	bool holds;
};

static bool
mentions(struct slice text, struct slice word)
{
	for (size_t i = 0; i + word.size <= text.size; i++)
		if (memcmp(text.data + i, word.data, word.size) == 0)
			return true;
	return false;
}

static int
open_body(lua_State *L)
{
	struct moon_predicate *predicate = vm_request(L);
	luaL_Buffer source;

	luaL_buffinit(L, &source);
	luaL_addstring(&source, "local state, event, meta = ... return ");
	luaL_addlstring(&source, predicate->text.data, predicate->text.size);
	luaL_pushresult(&source);
	size_t size;
	const char *text = lua_tolstring(L, -1, &size);
	if (sandbox_load(L, SLICE("expression"), slice_from(text, size)) != LUA_OK)
		moon_fail(L, 0, FAULT_INPUT, "bad_predicate", "%s", lua_tostring(L, -1));
	predicate->function = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

int
moon_predicate_open(struct script_machine *door, struct slice text, struct moon_predicate **predicate,
		    struct fault *fault)
{
	size_t blank = 0;

	/* A shell's variable that is not set would hold after no event. */
	while (blank < text.size && strchr(" \t\n", text.data[blank]) != NULL)
		blank++;
	if (blank == text.size)
		return fault_set(fault, FAULT_INPUT, "bad_predicate", "the expression is empty");
	struct moon_predicate *made = calloc(1, sizeof *made);
	if (made == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for an expression");
	made->machine = container_of(door, struct moon_machine, door);
	made->text = text;
	made->wants_event = mentions(text, SLICE("event"));
	made->wants_meta = mentions(text, SLICE("meta"));
	if (moon_protect(made->machine, open_body, made, fault) != 0) {
		free(made);
		return -1;
	}
	*predicate = made;
	return 0;
}

void
moon_predicate_close(struct moon_predicate *predicate)
{
	free(predicate); /* the function goes with its machine */
}

static void
set_text(lua_State *L, const char *name, struct slice text)
{
	lua_pushlstring(L, text.data != NULL ? text.data : "", text.size);
	lua_setfield(L, -2, name);
}

static void
set_integer(lua_State *L, const char *name, int64_t integer)
{
	lua_pushinteger(L, integer);
	lua_setfield(L, -2, name);
}

static void
push_event(lua_State *L, const struct recorded_entry *entry)
{
	struct fault fault;

	lua_createtable(L, 0, 3);
	set_text(L, "type", entry->type);
	set_integer(L, "schema_version", entry->schema_version);
	if (json_read(L, entry->data, NULL, &fault) != 0)
		moon_fail_fault(L, &fault);
	lua_setfield(L, -2, "data");
}

static void
push_meta(lua_State *L, const struct recorded_entry *entry)
{
	char id[ID_TEXT_SIZE];

	id_format(&entry->id, id);
	lua_createtable(L, 0, 5);
	set_text(L, "stream", entry->stream);
	set_text(L, "id", slice_text(id));
	set_integer(L, "version", (int64_t)entry->version);
	set_integer(L, "position", (int64_t)entry->position);
	set_integer(L, "time", entry->recorded_at_us);
}

static int
holds_body(lua_State *L)
{
	struct moon_predicate *predicate = vm_request(L);

	luaL_checkstack(L, 12, NULL);
	lua_rawgeti(L, LUA_REGISTRYINDEX, predicate->function);
	moon_state_push(L, predicate->machine, predicate->state);
	moon_state_copy(L, -1);
	lua_remove(L, -2);
	if (predicate->wants_event)
		push_event(L, predicate->entry);
	else
		lua_pushnil(L);
	if (predicate->wants_meta)
		push_meta(L, predicate->entry);
	else
		lua_pushnil(L);
	lua_call(L, 3, 1);
	predicate->holds = lua_toboolean(L, -1);
	return 0;
}

int
moon_predicate_holds(struct moon_predicate *predicate, script_state state, const struct recorded_entry *entry,
		     bool *holds, struct fault *fault)
{
	predicate->state = state;
	predicate->entry = entry;
	int result = moon_protect(predicate->machine, holds_body, predicate, fault);
	*holds = result == 0 && predicate->holds;
	return result;
}
