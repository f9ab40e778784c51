/* SPDX-License-Identifier: MIT */
/*
 * Promises: a script reaches exactly the names of the table in allow.c; it cannot change a library, another script's
 * globals or a host table; a name that is neither local nor listed raises, read or written.
 *
 * Lua has no read-only tables: a view is an empty table whose metatable reads through and refuses to write, and is
 * itself out of reach (__metatable). The registry's table of globals is such a view, so every chunk that is compiled
 * gets it as _ENV without further care. The packaged libraries are opened once for their functions and then dropped.
 */
#include "script/lua/sandbox.h"

#include <lauxlib.h>
#include <lualib.h>

#include "script/lua/json.h"
#include "script/lua/lib.h"
#include "script/lua/vm.h"

static const char key_frozen = 0;

/* The name of what was indexed, for messages: strings and numbers only, never through metamethods. */
static const char *
key_text(lua_State *L, int index)
{
	int type = lua_type(L, index);
	if (type == LUA_TSTRING)
		return lua_tostring(L, index);
	if (type == LUA_TNUMBER) {
		lua_pushvalue(L, index);
		return lua_tostring(L, -1);
	}
	return lua_typename(L, type);
}

static int
refuse_write(lua_State *L)
{
	return luaL_error(L, "attempt to change '%s' of a read-only table", key_text(L, 2));
}

static int
refuse_global(lua_State *L)
{
	return luaL_error(L, "assignment to undeclared global '%s' (write 'local' before it)", key_text(L, 2));
}

static int
unknown_global(lua_State *L)
{
	return luaL_error(L, "unknown global '%s'", key_text(L, 2));
}

static int
frozen_length(lua_State *L)
{
	if (sandbox_thaw(L, 1))
		lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
	else
		lua_pushinteger(L, 0);
	return 1;
}

/* Replaces the table on top by a view; writes to it call `refuse`. */
static void
freeze_with(lua_State *L, lua_CFunction refuse)
{
	luaL_checkstack(L, 4, NULL);
	lua_newtable(L);
	lua_createtable(L, 0, 6);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, refuse);
	lua_setfield(L, -2, "__newindex");
	lua_pushcfunction(L, frozen_length);
	lua_setfield(L, -2, "__len");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pushvalue(L, -3);
	lua_rawsetp(L, -2, &key_frozen);
	lua_setmetatable(L, -2);
	lua_remove(L, -2);
}

void
sandbox_freeze(lua_State *L)
{
	freeze_with(L, refuse_write);
}

void
sandbox_freeze_deep(lua_State *L)
{
	luaL_checkstack(L, 6, "table nested too deeply");
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		if (lua_type(L, -1) != LUA_TTABLE) {
			lua_pop(L, 1);
			continue;
		}
		sandbox_freeze_deep(L);
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -4); /* an existing field: allowed while lua_next walks */
	}
	sandbox_freeze(L);
}

bool
sandbox_thaw(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
		return false;
	if (lua_rawgetp(L, -1, &key_frozen) == LUA_TTABLE) {
		lua_remove(L, -2);
		return true;
	}
	lua_pop(L, 2);
	return false;
}

static void
open_stock(lua_State *L, int stock)
{
	static const struct {
		const char *name;
		lua_CFunction open;
	} libraries[] = { { "", luaopen_base },     { "string", luaopen_string }, { "table", luaopen_table },
			  { "math", luaopen_math }, { "utf8", luaopen_utf8 },     { "coroutine", luaopen_coroutine } };
	for (size_t i = 0; i < countof(libraries); i++) {
		lua_pushcfunction(L, libraries[i].open);
		lua_call(L, 0, 1);
		lua_setfield(L, stock, libraries[i].name);
	}
}

static void
push_stock(lua_State *L, int stock, const struct sandbox_name *name)
{
	lua_getfield(L, stock, name->library);
	if (lua_type(L, -1) == LUA_TTABLE)
		lua_getfield(L, -1, name->name);
	else
		lua_pushnil(L);
	lua_remove(L, -2);
	if (lua_isnil(L, -1))
		luaL_error(L, "the linked Lua has no %s.%s", name->library, name->name);
}

/* Libraries as plain tables in `globals`, to be frozen when whole. */
static void
fill_globals(lua_State *L, int stock, int globals)
{
	size_t count;
	const struct sandbox_name *names = sandbox_names(&count);
	for (size_t i = 0; i < count; i++) {
		const struct sandbox_name *name = &names[i];
		bool global = name->library[0] == '\0';
		if (global) {
			lua_pushvalue(L, globals);
		} else if (lua_getfield(L, globals, name->library) != LUA_TTABLE) {
			lua_pop(L, 1);
			lua_newtable(L);
			lua_pushvalue(L, -1);
			lua_setfield(L, globals, name->library);
		}
		if (name->function != NULL)
			lua_pushcfunction(L, name->function);
		else if (strcmp(name->library, "json") == 0)
			json_push_null(L);
		else
			push_stock(L, stock, name);
		lua_setfield(L, -2, name->name);
		lua_pop(L, 1);
	}
}

/*
 * Methods of strings see our library and nobody sees their metatable. Its arithmetic stays: "10" + 1 is Lua.
 * The library behind it needs no view, for a string has no fields to write and the table itself is out of reach.
 */
static void
lock_strings(lua_State *L, int globals)
{
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_getfield(L, globals, "string");
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}

static void
freeze_libraries(lua_State *L, int globals)
{
	lua_pushnil(L);
	while (lua_next(L, globals)) {
		if (lua_type(L, -1) == LUA_TTABLE) {
			sandbox_freeze(L);
			lua_pushvalue(L, -2);
			lua_insert(L, -2);
			lua_rawset(L, globals);
		} else {
			lua_pop(L, 1);
		}
	}
}

void
sandbox_open(lua_State *L)
{
	luaL_checkstack(L, 20, NULL);
	json_open(L);
	lua_newtable(L);
	int stock = lua_gettop(L);
	open_stock(L, stock);
	lua_getfield(L, stock, "string");
	lua_getfield(L, -1, "format");
	vm_of(L)->stock_format = lua_tocfunction(L, -1);
	lua_pop(L, 2);
	lua_newtable(L);
	int globals = lua_gettop(L);
	fill_globals(L, stock, globals);
	lock_strings(L, globals);
	freeze_libraries(L, globals);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, unknown_global);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, globals);
	lua_pushvalue(L, globals);
	freeze_with(L, refuse_global);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	lua_settop(L, stock - 1);
}

struct reading {
	struct slice source;
	bool given;
};

static const char *
read_source(lua_State *L, void *self, size_t *size)
{
	struct reading *reading = self;
	(void)L;
	*size = reading->given ? 0 : reading->source.size;
	reading->given = true;
	return reading->source.data;
}

int
sandbox_load(lua_State *L, struct slice name, struct slice source)
{
	struct reading reading = { .source = source };
	luaL_checkstack(L, 4, NULL);
	lua_pushfstring(L, "@%s", lua_pushlstring(L, name.data != NULL ? name.data : "", name.size));
	int status = lua_load(L, read_source, &reading, lua_tostring(L, -1), "t");
	lua_replace(L, -3);
	lua_pop(L, 1);
	return status;
}
