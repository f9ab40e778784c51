/* SPDX-License-Identifier: MIT */
/* json for scripts: decode, encode, array, isarray, isnull. Bad texts and values raise with offset or path. */
#include <lauxlib.h>

#include "script/lua/json.h"
#include "script/lua/lib.h"
#include "script/lua/sandbox.h"
#include "script/lua/vm.h"

/* The rule's error, whatever the text or value came from: no body of a request is at fault here. */
static _Noreturn void
raise(lua_State *L, const char *name, const struct fault *fault)
{
	vm_fail(L, FAULT_SCRIPT, "script_error", "json.%s: %s", name, fault->text);
}

int
lib_json_decode(lua_State *L)
{
	struct slice text;
	struct fault fault;
	text.data = luaL_checklstring(L, 1, &text.size);
	if (json_read(L, text, NULL, &fault) != 0)
		raise(L, "decode", &fault);
	return 1;
}

static int
buf_close(lua_State *L)
{
	buf_fini(lua_touserdata(L, 1));
	return 0;
}

struct buf *
lib_push_buf(lua_State *L, size_t cap_bytes)
{
	struct buf *buf = lua_newuserdatauv(L, sizeof *buf, 0);
	buf_init(buf, cap_bytes);
	if (luaL_newmetatable(L, "moonlog.buf")) {
		lua_pushcfunction(L, buf_close);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return buf;
}

int
lib_json_encode(lua_State *L)
{
	struct fault fault;
	luaL_checkany(L, 1);
	struct buf *out = lib_push_buf(L, JSON_TOTAL_BYTES);
	if (json_write(L, 1, out, NULL, &fault) != 0)
		raise(L, "encode", &fault);
	lua_pushlstring(L, out->data, out->size);
	buf_fini(out);
	buf_init(out, 0);
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
