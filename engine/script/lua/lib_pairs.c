/* SPDX-License-Identifier: MIT */
/*
 * pairs and next in an order that is the same on every machine: numbers ascending, then texts bytewise, then false and
 * true [I7]. Lua's own order follows addresses and a clock. Tables and functions as keys have no order and raise.
 *
 * pairs takes the keys once, sorts them and walks that list, leaving out what was removed meanwhile; a table that is a
 * plain sequence needs no list. next looks through the whole table for the least key above: no memory, but linear.
 */
#include <lauxlib.h>
#include <math.h>

#include "base/slice.h"
#include "script/lua/lib.h"
#include "script/lua/sandbox.h"
#include "script/lua/vm.h"

#define FEW 24 /* keys sorted on the stack */

enum rank { RANK_NUMBER, RANK_TEXT, RANK_BOOLEAN };

struct key {
	enum rank rank;
	bool integral; /* a number's subtype; a boolean's value */
	union {
		lua_Integer integer;
		lua_Number number;
		struct slice text;
	} as;
};

static void
key_read(lua_State *L, int index, struct key *key)
{
	switch (lua_type(L, index)) {
	case LUA_TNUMBER:
		key->rank = RANK_NUMBER;
		key->integral = lua_isinteger(L, index);
		if (key->integral)
			key->as.integer = lua_tointeger(L, index);
		else
			key->as.number = lua_tonumber(L, index);
		break;
	case LUA_TSTRING:
		key->rank = RANK_TEXT;
		key->as.text.data = lua_tolstring(L, index, &key->as.text.size);
		break;
	case LUA_TBOOLEAN:
		key->rank = RANK_BOOLEAN;
		key->integral = lua_toboolean(L, index);
		break;
	default:
		luaL_error(L, "a key of type %s has no order: use text, number or boolean keys",
			   luaL_typename(L, index));
	}
}

static void
key_push(lua_State *L, const struct key *key)
{
	if (key->rank == RANK_TEXT)
		lua_pushlstring(L, key->as.text.data, key->as.text.size);
	else if (key->rank == RANK_BOOLEAN)
		lua_pushboolean(L, key->integral);
	else if (key->integral)
		lua_pushinteger(L, key->as.integer);
	else
		lua_pushnumber(L, key->as.number);
}

/* A float that is a key is never equal to an integer: Lua makes it one then. */
static int
mixed_compare(lua_Integer integer, lua_Number number)
{
	if (number >= 0x1p63)
		return -1;
	if (number < -0x1p63)
		return 1;
	return integer <= (lua_Integer)floor(number) ? -1 : 1;
}

static int
key_compare(const void *left, const void *right)
{
	const struct key *a = left, *b = right;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->rank == RANK_TEXT) {
		size_t common = a->as.text.size < b->as.text.size ? a->as.text.size : b->as.text.size;
		int order = memcmp(a->as.text.data, b->as.text.data, common);
		if (order != 0)
			return order;
		return (a->as.text.size > b->as.text.size) - (a->as.text.size < b->as.text.size);
	}
	if (a->rank == RANK_BOOLEAN)
		return (int)a->integral - (int)b->integral;
	if (a->integral && b->integral)
		return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
	if (!a->integral && !b->integral)
		return (a->as.number > b->as.number) - (a->as.number < b->as.number);
	return a->integral ? mixed_compare(a->as.integer, b->as.number) : -mixed_compare(b->as.integer, a->as.number);
}

/* Counts the keys of the table at `index`; *sequence when they are 1..n and Lua gives them in that order. */
static size_t
keys_count(lua_State *L, int index, bool *sequence)
{
	size_t count = 0;
	*sequence = true;
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		if (lib_hidden_key(L, -1))
			continue;
		count++;
		if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) != (lua_Integer)count)
			*sequence = false;
	}
	return count;
}

static void
sort_few(struct key *keys, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct key key = keys[i];
		size_t at = i;
		for (; at > 0 && key_compare(&keys[at - 1], &key) > 0; at--)
			keys[at] = keys[at - 1];
		keys[at] = key;
	}
}

/* Merges sorted runs, from one half of `keys` to the other and back: unlike qsort it can be stopped. */
static struct key *
sort_many(lua_State *L, struct key *keys, size_t count)
{
	struct key *from = keys, *to = keys + count;
	for (size_t start = 0; start < count; start += FEW)
		sort_few(from + start, count - start > FEW ? FEW : count - start);
	for (size_t width = FEW; width < count; width *= 2) {
		for (size_t start = 0; start < count; start += 2 * width) {
			size_t middle = count - start > width ? start + width : count;
			size_t end = count - start > 2 * width ? start + 2 * width : count;
			vm_check(L);
			for (size_t left = start, right = middle, at = start; at < end; at++) {
				bool take_right =
					left >= middle || (right < end && key_compare(&from[right], &from[left]) < 0);
				to[at] = from[take_right ? right++ : left++];
			}
		}
		struct key *swap = from;
		from = to;
		to = swap;
	}
	return from;
}

/* Pushes a table with the keys of the one at `index`, in order. */
static void
push_sorted_keys(lua_State *L, int index, size_t count)
{
	struct key few[FEW], *keys = few;
	lua_createtable(L, (int)count, 0);
	int list = lua_gettop(L);
	if (count > FEW)
		keys = lua_newuserdatauv(L, 2 * count * sizeof *keys, 0);
	size_t at = 0;
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		if (!lib_hidden_key(L, -1))
			key_read(L, -1, &keys[at++]);
	}
	if (count > FEW)
		keys = sort_many(L, keys, count);
	else
		sort_few(keys, count);
	for (size_t i = 0; i < count; i++) {
		key_push(L, &keys[i]);
		lua_rawseti(L, list, (lua_Integer)i + 1);
	}
	lua_settop(L, list);
}

/* Upvalues: list of keys, place in it, table. */
static int
pairs_step(lua_State *L)
{
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));
	for (;;) {
		at++;
		if (lua_rawgeti(L, lua_upvalueindex(1), at) == LUA_TNIL)
			return 1;
		lua_pushvalue(L, -1);
		if (lua_rawget(L, lua_upvalueindex(3)) != LUA_TNIL)
			break;
		lua_pop(L, 2);
	}
	lua_pushinteger(L, at);
	lua_replace(L, lua_upvalueindex(2));
	return 2;
}

/* Upvalues: number of elements, place, table. */
static int
sequence_step(lua_State *L)
{
	lua_Integer count = lua_tointeger(L, lua_upvalueindex(1)), at = lua_tointeger(L, lua_upvalueindex(2));
	while (at < count) {
		at++;
		lua_pushinteger(L, at);
		if (lua_rawgeti(L, lua_upvalueindex(3), at) != LUA_TNIL) {
			lua_pushinteger(L, at);
			lua_replace(L, lua_upvalueindex(2));
			return 2;
		}
		lua_pop(L, 2);
	}
	lua_pushnil(L);
	return 1;
}

static int
pairs_end(lua_State *L, int status, lua_KContext context)
{
	(void)L, (void)status, (void)context;
	return 3;
}

int
lib_pairs(lua_State *L)
{
	luaL_checkany(L, 1);
	if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
		lua_pushvalue(L, 1);
		lua_callk(L, 1, 3, 0, pairs_end);
		return 3;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (!sandbox_thaw(L, 1))
		lua_pushvalue(L, 1);
	bool sequence;
	size_t count = keys_count(L, 2, &sequence);
	if (sequence)
		lua_pushinteger(L, (lua_Integer)count);
	else
		push_sorted_keys(L, 2, count);
	lua_pushinteger(L, 0);
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, sequence ? sequence_step : pairs_step, 3);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

int
lib_next(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	if (sandbox_thaw(L, 1))
		lua_replace(L, 1);
	struct key last, best, key;
	bool first = lua_isnil(L, 2), found = false;
	if (!first)
		key_read(L, 2, &last);
	lua_pushnil(L);
	while (lua_next(L, 1)) {
		lua_pop(L, 1);
		if (lib_hidden_key(L, -1))
			continue;
		vm_check(L);
		key_read(L, -1, &key);
		if ((first || key_compare(&key, &last) > 0) && (!found || key_compare(&key, &best) < 0)) {
			best = key;
			found = true;
		}
	}
	if (!found) {
		lua_pushnil(L);
		return 1;
	}
	key_push(L, &best);
	lua_pushvalue(L, -1);
	lua_rawget(L, 1);
	return 2;
}
