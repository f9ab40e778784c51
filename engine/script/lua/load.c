/* SPDX-License-Identifier: MIT */
/*
 * Promises: every file of a domain runs once, from the bytes that were given, in the sandbox; `require` finds
 * files of the same set only and only while files are loaded, so that what a fold depends on is known from the
 * files alone.
 *
 * A file that requires itself through others is refused with the chain. Which file required which is kept while a
 * program is built: the fold's hash is made of it.
 */
#include <lauxlib.h>
#include <stdio.h>

#include "script/lua/machine.h"

static void
cycle(lua_State *L, const struct moon_machine *machine, uint16_t source, unsigned from)
{
	const struct source_file *files = machine->program->sources.items;
	luaL_Buffer text;
	luaL_buffinit(L, &text);
	for (unsigned i = from; i < machine->require_depth; i++) {
		struct slice path = files[machine->require_stack[i]].path;
		luaL_addlstring(&text, path.data, path.size);
		luaL_addstring(&text, " requires ");
	}
	luaL_addlstring(&text, files[source].path.data, files[source].path.size);
	luaL_pushresult(&text);
	luaL_error(L, "files require each other in a circle: %s", lua_tostring(L, -1));
}

static void
enter(lua_State *L, struct moon_machine *machine, uint16_t source)
{
	for (unsigned i = 0; i < machine->require_depth; i++)
		if (machine->require_stack[i] == source)
			cycle(L, machine, source, i);
	if (machine->require_depth == MACHINE_REQUIRE_DEPTH)
		luaL_error(L, "more than %d files require each other in a row", MACHINE_REQUIRE_DEPTH);
	machine->require_stack[machine->require_depth++] = source;
}

void
moon_source_run(lua_State *L, struct moon_machine *machine, uint16_t source)
{
	const struct source_file *file = &machine->program->sources.items[source];
	luaL_checkstack(L, 8, NULL);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->modules);
	if (lua_rawgeti(L, -1, source + 1) != LUA_TNIL) {
		lua_remove(L, -2);
		return;
	}
	lua_pop(L, 1);
	enter(L, machine, source);
	if (sandbox_load(L, file->path, file->bytes) != LUA_OK)
		lua_error(L);
	lua_call(L, 0, 1);
	if (lua_isnil(L, -1))
		moon_fail(L, 0, FAULT_SCRIPT, "bad_rules", "%s:1: the file returns nothing; it must return a table",
			  file->path.data);
	machine->require_depth--;
	lua_pushvalue(L, -1);
	lua_rawseti(L, -3, source + 1);
	lua_remove(L, -2);
}

/* "lib.text" and "lib/text" -> the file "lib/text.lua"; -1 when there is none. */
static int
find_module(const struct source_set *sources, const char *name)
{
	char path[256];
	int size = snprintf(path, sizeof path, "%s.lua", name);
	if (size < 0 || (size_t)size >= sizeof path)
		return -1;
	for (int i = 0; i < size - 4; i++)
		if (path[i] == '.')
			path[i] = '/';
	return moon_source_find(sources, slice_from(path, (size_t)size));
}

int
moon_require(lua_State *L)
{
	struct moon_machine *machine = moon_machine_of(L);
	const char *name = luaL_checkstring(L, 1);
	if (!machine->loading || machine->require_depth == 0)
		return luaL_error(L, "require works only while files are loaded: call it at the top of the file");
	const struct source_set *sources = &machine->program->sources;
	int source = find_module(sources, name);
	if (source < 0)
		return luaL_error(L, "module '%s' not found: the domain has no file '%s.lua'", name, name);
	uint16_t from = machine->require_stack[machine->require_depth - 1];
	if (machine->needs != NULL)
		machine->needs[from * sources->count + (size_t)source] = true;
	moon_source_run(L, machine, (uint16_t)source);
	return 1;
}
