/* SPDX-License-Identifier: MIT */
/*
 * The base library where the packaged one would leak addresses, escape limits or reach past the sandbox.
 */
#include <lauxlib.h>

#include "script/lua/json.h"
#include "script/lua/lib.h"
#include "script/lua/sandbox.h"
#include "script/lua/vm.h"

void
lib_one_line(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = ' ';
}

void
lib_check_writable(lua_State *L, int index)
{
	luaL_checktype(L, index, LUA_TTABLE);
	if (sandbox_thaw(L, index))
		luaL_error(L, "attempt to change a read-only table");
}

/* As the stock one, but tables, functions and the like show no address: it differs from run to run. */
void
sandbox_tostring(lua_State *L, int index)
{
	index = lua_absindex(L, index);
	if (luaL_callmeta(L, index, "__tostring")) {
		if (!lua_isstring(L, -1))
			luaL_error(L, "'__tostring' must return a string");
		return;
	}
	switch (lua_type(L, index)) {
	case LUA_TNIL:
	case LUA_TBOOLEAN:
	case LUA_TNUMBER:
	case LUA_TSTRING:
		luaL_tolstring(L, index, NULL);
		return;
	default:
		if (json_is_null(L, index))
			lua_pushliteral(L, "null");
		else if (luaL_getmetafield(L, index, "__name") != LUA_TSTRING)
			lua_pushstring(L, luaL_typename(L, index));
	}
}

int
lib_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	sandbox_tostring(L, 1);
	return 1;
}

int
lib_print(lua_State *L)
{
	struct vm *vm = vm_of(L);
	int count = lua_gettop(L);
	luaL_Buffer text;
	if (vm->host.print == NULL)
		return 0;
	luaL_buffinit(L, &text);
	for (int i = 1; i <= count; i++) {
		if (i > 1)
			luaL_addchar(&text, '\t');
		sandbox_tostring(L, i);
		luaL_addvalue(&text);
	}
	luaL_pushresult(&text);
	size_t size;
	const char *data = lua_tolstring(L, -1, &size);
	vm->host.print(vm->host.self, slice_from(data, size));
	return 0;
}

int
lib_rawset(lua_State *L)
{
	lib_check_writable(L, 1);
	luaL_checkany(L, 2);
	luaL_checkany(L, 3);
	lua_settop(L, 3);
	lua_rawset(L, 1);
	return 1;
}

int
lib_require(lua_State *L)
{
	lua_CFunction require = vm_of(L)->host.require;
	luaL_checkstring(L, 1);
	lua_settop(L, 1);
	if (require == NULL)
		return luaL_error(L, "module '%s' not found: there are no modules here", lua_tostring(L, 1));
	return require(L);
}

/* A handler that a kill called would run with hooks off, hence without end: it is skipped then. */
static int
handler_call(lua_State *L)
{
	if (vm_is_killed(L))
		return 1;
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

/* Stack: handler, true, results ...; the handler stays out of the answer. */
static int
xpcall_end(lua_State *L, int status, lua_KContext handler)
{
	if (status != LUA_OK && status != LUA_YIELD) {
		lua_pushboolean(L, 0);
		lua_pushvalue(L, -2);
		return 2;
	}
	return lua_gettop(L) - (int)handler;
}

int
lib_xpcall(lua_State *L)
{
	int count = lua_gettop(L);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, handler_call, 1);
	lua_replace(L, 2);
	lua_pushboolean(L, 1);
	lua_pushvalue(L, 1); /* f, handler, args ..., true, f */
	lua_rotate(L, 3, 2); /* f, handler, true, f, args ... */
	int status = lua_pcallk(L, count - 2, LUA_MULTRET, 2, 2, xpcall_end);
	return xpcall_end(L, status, 2);
}
