/* SPDX-License-Identifier: MIT */
/*
 * Tables: insert, remove and move with a bound on the elements they touch, which look at the kill flag on the way (a
 * lying __len or a far index would keep C busy for years, and no instruction runs meanwhile that a watchdog could
 * stop); and a sort that keeps equal elements
 * in order and gives the same result on every machine [I7], which the packaged one does not.
 */
#include <lauxlib.h>

#include "base/slice.h"
#include "script/lua/lib.h"
#include "script/lua/vm.h"

#define MOVED_MAX ((lua_Integer)1 << 24)
#define RUN       8    /* elements sorted by insertion before merging */
#define LOOK      1024 /* elements between looks at the kill flag */

static inline void
look(lua_State *L, lua_Integer at)
{
	if (at % LOOK == 0)
		vm_check(L);
}

static lua_Integer
length_of(lua_State *L, const char *name)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_Integer length = luaL_len(L, 1);
	if (length < 0 || length > MOVED_MAX)
		luaL_error(L, "table.%s: a table of more than %I elements", name, (LUAI_UACINT)MOVED_MAX);
	return length;
}

int
lib_insert(lua_State *L)
{
	lua_Integer end = length_of(L, "insert") + 1;
	lua_Integer at = end;
	switch (lua_gettop(L)) {
	case 2:
		break;
	case 3:
		at = luaL_checkinteger(L, 2);
		luaL_argcheck(L, at >= 1 && at <= end, 2, "position out of bounds");
		for (lua_Integer i = end; i > at; i--) {
			look(L, i);
			lua_geti(L, 1, i - 1);
			lua_seti(L, 1, i);
		}
		break;
	default:
		return luaL_error(L, "wrong number of arguments to 'insert'");
	}
	lua_seti(L, 1, at);
	return 0;
}

int
lib_remove(lua_State *L)
{
	lua_Integer size = length_of(L, "remove");
	lua_Integer at = luaL_optinteger(L, 2, size);
	if (!lua_isnoneornil(L, 2))
		luaL_argcheck(L, (at >= 1 && at <= size + 1) || (size == 0 && at == 0), 2, "position out of bounds");
	lua_geti(L, 1, at);
	for (; at < size; at++) {
		look(L, at);
		lua_geti(L, 1, at + 1);
		lua_seti(L, 1, at);
	}
	lua_pushnil(L);
	lua_seti(L, 1, at);
	return 1;
}

int
lib_move(lua_State *L)
{
	lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3), to = luaL_checkinteger(L, 4);
	int target = lua_isnoneornil(L, 5) ? 1 : 5;
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, target, LUA_TTABLE);
	if (last >= first) {
		luaL_argcheck(L, (first > 0 || last < LUA_MAXINTEGER + first) && last - first < MOVED_MAX, 3,
			      "too many elements to move");
		luaL_argcheck(L, to <= LUA_MAXINTEGER - (last - first), 4, "destination wrap around");
		bool upwards = to > last || to <= first || (target != 1 && !lua_compare(L, 1, target, LUA_OPEQ));
		for (lua_Integer i = 0; i <= last - first; i++) {
			lua_Integer step = upwards ? i : last - first - i;
			look(L, i);
			lua_geti(L, 1, first + step);
			lua_seti(L, target, to + step);
		}
	}
	lua_pushvalue(L, target);
	return 1;
}

/*
 * Merges runs of indices into the copy of the elements: Lua values stay where they are until the end.
 * Stack: 1 table, 2 comparator or nil, 3 copy.
 */
struct sorting {
	lua_State *L;
	uint32_t *from;
	uint32_t *to;
};

/* Must `right` come before `left`? Only then do they change places, which keeps equal elements in order. */
static bool
before(struct sorting *sorting, uint32_t right, uint32_t left)
{
	lua_State *L = sorting->L;
	bool less;
	vm_check(L); /* two long texts take as long as many instructions */
	if (lua_isnil(L, 2)) {
		lua_rawgeti(L, 3, right);
		lua_rawgeti(L, 3, left);
		less = lua_compare(L, -2, -1, LUA_OPLT);
		lua_pop(L, 2);
		return less;
	}
	lua_pushvalue(L, 2);
	lua_rawgeti(L, 3, right);
	lua_rawgeti(L, 3, left);
	lua_call(L, 2, 1);
	less = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return less;
}

static void
sort_run(struct sorting *sorting, uint32_t start, uint32_t end)
{
	uint32_t *items = sorting->from;
	for (uint32_t i = start + 1; i < end; i++) {
		uint32_t item = items[i], at = i;
		for (; at > start && before(sorting, item, items[at - 1]); at--)
			items[at] = items[at - 1];
		items[at] = item;
	}
}

static void
merge(struct sorting *sorting, uint32_t start, uint32_t middle, uint32_t end)
{
	uint32_t left = start, right = middle;
	for (uint32_t at = start; at < end; at++) {
		bool take_right =
			left >= middle || (right < end && before(sorting, sorting->from[right], sorting->from[left]));
		sorting->to[at] = sorting->from[take_right ? right++ : left++];
	}
}

static void
sort_all(struct sorting *sorting, uint32_t count)
{
	for (uint32_t start = 0; start < count; start += RUN)
		sort_run(sorting, start, count - start > RUN ? start + RUN : count);
	for (uint32_t width = RUN; width < count; width *= 2) {
		for (uint32_t start = 0; start < count; start += 2 * width) {
			uint32_t middle = count - start > width ? start + width : count;
			uint32_t end = count - start > 2 * width ? start + 2 * width : count;
			merge(sorting, start, middle, end);
		}
		uint32_t *swap = sorting->from;
		sorting->from = sorting->to;
		sorting->to = swap;
	}
}

int
lib_sort(lua_State *L)
{
	lua_Integer length = length_of(L, "sort");
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	if (length < 2)
		return 0;
	uint32_t count = (uint32_t)length;
	lua_createtable(L, (int)length, 0);
	for (lua_Integer i = 1; i <= length; i++) {
		look(L, i);
		lua_geti(L, 1, i);
		lua_rawseti(L, 3, i);
	}
	uint32_t *indices = lua_newuserdatauv(L, 2 * count * sizeof *indices, 0);
	struct sorting sorting = { .L = L, .from = indices, .to = indices + count };
	for (uint32_t i = 0; i < count; i++)
		indices[i] = i + 1;
	sort_all(&sorting, count);
	for (uint32_t i = 0; i < count; i++) {
		look(L, i);
		lua_rawgeti(L, 3, sorting.from[i]);
		lua_seti(L, 1, (lua_Integer)i + 1);
	}
	return 0;
}
