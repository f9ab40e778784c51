/* SPDX-License-Identifier: MIT */
/* json for scripts: decode, encode, array, isarray, isnull. Bad texts and values raise with offset or path. */
#include <lauxlib.h>

#include "script/lua/json.h"
#include "script/lua/lib.h"
#include "script/lua/sandbox.h"
#include "script/lua/vm.h"

int
lib_json_decode(lua_State *L)
{
	struct slice text;
	struct fault fault;
	text.data = luaL_checklstring(L, 1, &text.size);
	if (json_read(L, text, NULL, &fault) != 0)
		vm_raise(L, &fault);
	return 1;
}

struct encoding {
	struct buf out;
};

static int
encoding_close(lua_State *L)
{
	struct encoding *encoding = lua_touserdata(L, 1);
	buf_fini(&encoding->out);
	return 0;
}

/* The buffer is outside of the state's heap: a userdata frees it also when an error jumps past us. */
static struct encoding *
encoding_open(lua_State *L)
{
	struct encoding *encoding = lua_newuserdatauv(L, sizeof *encoding, 0);
	buf_init(&encoding->out, (size_t)1 << 20);
	if (luaL_newmetatable(L, "moonlog.encoding")) {
		lua_pushcfunction(L, encoding_close);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return encoding;
}

int
lib_json_encode(lua_State *L)
{
	struct fault fault;
	luaL_checkany(L, 1);
	struct encoding *encoding = encoding_open(L);
	if (json_write(L, 1, &encoding->out, NULL, &fault) != 0)
		vm_raise(L, &fault);
	lua_pushlstring(L, encoding->out.data, encoding->out.size);
	buf_fini(&encoding->out);
	buf_init(&encoding->out, 0);
	return 1;
}

int
lib_json_array(lua_State *L)
{
	if (lua_isnoneornil(L, 1)) {
		json_new_array(L, 0);
		return 1;
	}
	lib_check_writable(L, 1);
	lua_settop(L, 1);
	if (json_is_array(L, 1))
		return 1;
	if (lua_getmetatable(L, 1))
		return luaL_error(L, "json.array: the table has a metatable already");
	json_mark_array(L);
	return 1;
}

int
lib_json_isarray(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushboolean(L, json_is_array(L, 1));
	return 1;
}

int
lib_json_isnull(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushboolean(L, json_is_null(L, 1));
	return 1;
}
