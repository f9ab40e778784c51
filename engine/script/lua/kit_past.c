/* SPDX-License-Identifier: MIT */
/* `core` for specs of upcasters, and for their clock. */
#include <lauxlib.h>

#include "script/lua/kit_core.h"

/* upcast { domain, aggregate, events = { one } } -> { kind, pieces = { { type, version, data } } } */
int
kit_upcast(lua_State *L)
{
	struct kit *kit = kit_of(L);
	struct script_pieces pieces;
	struct fault fault;
	luaL_checktype(L, 1, LUA_TTABLE);
	arena_clear(&kit->arena);
	const struct kit_domain *domain = kit_domain_named(L, kit_field_text(L, 1, "domain"));
	int aggregate = script_find_aggregate(domain->program, kit_field_text(L, 1, "aggregate"));
	const struct kit_past past = kit_read_past(L, domain);
	if (aggregate < 0 || past.count != 1)
		return luaL_error(L, "upcast wants an aggregate and one event");
	if (script_upcast(domain->machine, (uint16_t)aggregate, &past.entries[0], UPCAST_CHECKED, &kit->arena, &pieces,
			  &fault) != 0)
		return kit_give_fault(L, &fault);
	lua_newtable(L);
	kit_set_text(L, "kind", SLICE("accepted"));
	lua_createtable(L, (int)pieces.count, 0);
	for (size_t i = 0; i < pieces.count; i++) {
		lua_createtable(L, 0, 3);
		kit_set_text(L, "type", pieces.items[i].type);
		kit_set_text(L, "data", pieces.items[i].data);
		lua_pushinteger(L, pieces.items[i].schema_version);
		lua_setfield(L, -2, "version");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "pieces");
	return 1;
}

/* shift { at = ISO 8601, by = microseconds } -> ISO 8601 */
int
kit_shift(lua_State *L)
{
	char text[CLOCK_TEXT_SIZE];
	luaL_checktype(L, 1, LUA_TTABLE);
	clock_format(kit_read_time(L, 1) + kit_field_integer(L, "by", 0), text);
	lua_pushstring(L, text);
	return 1;
}
