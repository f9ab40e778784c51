/* SPDX-License-Identifier: MIT */
/*
 * resume and wrap that record which coroutine runs: a watchdog's hook belongs to one coroutine, so it must know. A
 * condemned call resumes nothing more, and the coroutine below one that was killed is armed in its turn; the order of
 * store and look leaves the signal no moment between two coroutines.
 * A coroutine that failed is left to the collector; closing it here would reach a fault of older packaged Luas.
 */
#include <lauxlib.h>

#include "script/lua/lib.h"
#include "script/lua/vm.h"

/* Moves `count` arguments over, runs, moves the results or the error back. Gives their number, or -1 with the error. */
static int
run(lua_State *L, lua_State *other, int count)
{
	struct vm *vm = vm_of(L);
	int results = 0;
	if (!lua_checkstack(other, count)) {
		lua_pushliteral(L, "too many arguments to resume");
		return -1;
	}
	atomic_store(&vm->running, other);
	if (vm_is_killed(L)) {
		atomic_store(&vm->running, L);
		vm_raise_killed(L);
	}
	lua_xmove(L, other, count);
	int status = lua_resume(other, L, count, &results);
	atomic_store(&vm->running, L);
	if (vm_is_killed(L))
		vm_arm(L);
	if (status != LUA_OK && status != LUA_YIELD) {
		lua_xmove(other, L, 1);
		return -1;
	}
	if (!lua_checkstack(L, results + 1)) {
		lua_pop(other, results);
		lua_pushliteral(L, "too many results to resume");
		return -1;
	}
	lua_xmove(other, L, results);
	return results;
}

int
lib_resume(lua_State *L)
{
	lua_State *other = lua_tothread(L, 1);
	luaL_argexpected(L, other != NULL, 1, "coroutine");
	int results = run(L, other, lua_gettop(L) - 1);
	if (results < 0) {
		lua_pushboolean(L, 0);
		lua_insert(L, -2);
		return 2;
	}
	lua_pushboolean(L, 1);
	lua_insert(L, -(results + 1));
	return results + 1;
}

static int
wrap_step(lua_State *L)
{
	lua_State *other = lua_tothread(L, lua_upvalueindex(1));
	int results = run(L, other, lua_gettop(L));
	if (results >= 0)
		return results;
	if (lua_type(L, -1) == LUA_TSTRING && lua_status(other) != LUA_ERRMEM) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

int
lib_wrap(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_State *other = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, other, 1);
	lua_pushcclosure(L, wrap_step, 1);
	return 1;
}
