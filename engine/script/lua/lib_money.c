/* SPDX-License-Identifier: MIT */
/* money for scripts: integer minor units to text and back. */
#include <lauxlib.h>

#include "script/lua/lib.h"
#include "script/lua/money.h"

static unsigned
check_decimals(lua_State *L, int index)
{
	struct slice currency;
	currency.data = luaL_checklstring(L, index, &currency.size);
	return money_decimals(currency);
}

int
lib_money_decimals(lua_State *L)
{
	lua_pushinteger(L, check_decimals(L, 1));
	return 1;
}

int
lib_money_format(lua_State *L)
{
	char text[MONEY_TEXT_SIZE];
	lua_Integer minor = luaL_checkinteger(L, 1);
	lua_pushlstring(L, text, money_format(minor, check_decimals(L, 2), text));
	return 1;
}

int
lib_money_parse(lua_State *L)
{
	static const char *const reasons[] = { "", "not an amount", "too many decimals", "out of range" };
	struct slice text;
	int64_t minor;
	text.data = luaL_checklstring(L, 1, &text.size);
	enum money_result result = money_parse(text, check_decimals(L, 2), &minor);
	if (result == MONEY_OK) {
		lua_pushinteger(L, minor);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, reasons[result]);
	return 2;
}
