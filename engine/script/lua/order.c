/* SPDX-License-Identifier: MIT */
/*
 * The order in which this state's tables walk their names: it follows from the state's hash seed. Rules never see it
 * (`pairs` is ordered); who wants to know that two states are really different looks at it.
 */
#include <lauxlib.h>

#include "script/lua/machine.h"

#define ORDER_NAMES 48

static int
order_body(lua_State *L)
{
	uint64_t *order = vm_request(L);
	lua_createtable(L, 0, ORDER_NAMES);
	for (int i = 0; i < ORDER_NAMES; i++) {
		lua_pushfstring(L, "name %d", i);
		lua_pushinteger(L, i);
		lua_rawset(L, -3);
	}
	*order = 1;
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		uint8_t name = (uint8_t)lua_tointeger(L, -1);
		*order = slice_hash(slice_from(&name, 1), *order);
	}
	return 0;
}

uint64_t
moon_order(struct script_machine *door)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	uint64_t order = 0;
	moon_protect(machine, order_body, &order, NULL);
	return order;
}
