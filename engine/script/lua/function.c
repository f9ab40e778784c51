/* SPDX-License-Identifier: MIT */
/*
 * The state is a plain vm: no ctx, no require, nothing but the allow-list, so that the same record always becomes the
 * same event. A call that ran out of memory leaves a state that can be used again.
 */
#include "script/lua/function.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "script/lua/json.h"
#include "script/lua/sandbox.h"
#include "script/lua/vm.h"

struct moon_function {
	struct vm *vm;
	struct slice name;
	struct slice text;
	int reference;
	uint32_t call_ms;
	/* of the call at hand */
	struct slice json;
	struct buf *out;
};

static struct slice
source(void *self, struct slice chunk)
{
	const struct moon_function *function = self;

	return slice_equal(chunk, function->name) ? function->text : SLICE_NONE;
}

static int
open_body(lua_State *L)
{
	struct moon_function *function = vm_request(L);

	if (sandbox_load(L, function->name, function->text) != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 1);
	if (lua_type(L, -1) != LUA_TFUNCTION)
		vm_fail(L, FAULT_SCRIPT, "bad_result", "%.*s must return a function, not a %s",
			SLICE_ARG(function->name), luaL_typename(L, -1));
	function->reference = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

int
moon_function_open(struct slice name, struct slice text, const struct script_limits *limits,
		   struct moon_function **function, struct fault *fault)
{
	struct moon_function *made = calloc(1, sizeof(*made));
	const struct vm_host host = { .source = source, .self = made };

	if (made == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a Lua state");
	made->name = name;
	made->text = text;
	made->call_ms = limits->command_ms;
	if (vm_new(NULL, &host, NULL, &made->vm, fault) != 0 ||
	    vm_protect_within(made->vm, open_body, made, limits->load_ms, fault) != 0) {
		moon_function_close(made);
		return -1;
	}
	*function = made;
	return 0;
}

void
moon_function_close(struct moon_function *function)
{
	if (function == NULL)
		return;
	vm_free(function->vm);
	free(function);
}

static int
call_body(lua_State *L)
{
	struct moon_function *function = vm_request(L);
	struct fault fault;

	luaL_checkstack(L, 8, NULL);
	lua_rawgeti(L, LUA_REGISTRYINDEX, function->reference);
	if (json_read(L, function->json, NULL, &fault) != 0)
		vm_raise(L, &fault);
	lua_call(L, 1, 2);
	if (lua_isnil(L, -2) && lua_type(L, -1) == LUA_TSTRING)
		vm_fail(L, FAULT_INPUT, "refused", "%s", lua_tostring(L, -1));
	if (!lua_isnil(L, -2) && json_write(L, lua_gettop(L) - 1, function->out, NULL, &fault) != 0)
		vm_raise(L, &fault);
	return 0;
}

int
moon_function_call(struct moon_function *function, struct slice json, struct buf *out, struct fault *fault)
{
	function->json = json;
	function->out = out;
	return vm_protect_within(function->vm, call_body, function, function->call_ms, fault);
}
