/* SPDX-License-Identifier: MIT */
/*
 * Metatables without finalizers and weak tables, which would show when the collector ran and reach known faults of
 * the packaged Lua.
 *
 * A check when the metatable is set would not do: __mode takes effect when it is added afterwards. So a table gets a
 * private copy of the metamethods, made once and remembered in the original under a hidden key; getmetatable gives
 * the original back. Metamethods added after the first use are therefore ignored.
 */
#include <lauxlib.h>

#include "base/slice.h"
#include "script/lua/lib.h"
#include "script/lua/sandbox.h"

static const char key_copy = 0;     /* in the original: its private copy */
static const char key_original = 0; /* in the copy: the original */

static const char *const allowed[] = {
	"__index",  "__newindex", "__call", "__tostring", "__name", "__len",  "__eq",    "__lt",    "__le",
	"__concat", "__unm",      "__add",  "__sub",      "__mul",  "__div",  "__mod",   "__pow",   "__idiv",
	"__band",   "__bor",      "__bxor", "__shl",      "__shr",  "__bnot", "__close", "__pairs", "__metatable",
};

bool
lib_hidden_key(lua_State *L, int index)
{
	return lua_islightuserdata(L, index) && lua_touserdata(L, index) == &key_copy;
}

static void
refuse_field(lua_State *L, int index, const char *name)
{
	lua_pushstring(L, name);
	lua_rawget(L, index);
	if (!lua_isnil(L, -1))
		luaL_error(L, "setmetatable: the sandbox has no '%s'", name);
	lua_pop(L, 1);
}

/* Pushes the private copy of the metatable at `index`. */
static void
push_copy(lua_State *L, int index)
{
	if (lua_rawgetp(L, index, &key_copy) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	refuse_field(L, index, "__gc");
	refuse_field(L, index, "__mode");
	lua_createtable(L, 0, 6);
	for (size_t i = 0; i < countof(allowed); i++) {
		lua_pushstring(L, allowed[i]);
		lua_pushvalue(L, -1);
		lua_rawget(L, index);
		if (lua_isnil(L, -1))
			lua_pop(L, 2);
		else
			lua_rawset(L, -3);
	}
	lua_pushvalue(L, index);
	lua_rawsetp(L, -2, &key_original);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, index, &key_copy);
}

int
lib_setmetatable(lua_State *L)
{
	int type = lua_type(L, 2);
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	lua_settop(L, 2);
	if (type == LUA_TTABLE) {
		if (sandbox_thaw(L, 2))
			return luaL_error(L, "a read-only table cannot be a metatable");
		push_copy(L, 2);
	}
	lua_setmetatable(L, 1);
	lua_settop(L, 1);
	return 1;
}

int
lib_getmetatable(lua_State *L)
{
	luaL_checkany(L, 1);
	if (lua_type(L, 1) != LUA_TTABLE || !lua_getmetatable(L, 1)) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushliteral(L, "__metatable");
	lua_rawget(L, -2);
	if (lua_isnil(L, -1))
		lua_rawgetp(L, -2, &key_original);
	return 1;
}
