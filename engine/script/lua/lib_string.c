/* SPDX-License-Identifier: MIT */
/*
 * Strings: find, match, gmatch and gsub over our matcher, whose steps are counted; format without addresses; rep with
 * a bound. A search for text without magic characters is linear and needs no bound.
 */
#include <lauxlib.h>

#include "script/lua/lib.h"
#include "script/lua/pattern.h"
#include "script/lua/sandbox.h"
#include "script/lua/vm.h"

static struct slice
check_slice(lua_State *L, int index)
{
	struct slice text;
	text.data = luaL_checklstring(L, index, &text.size);
	return text;
}

static void
begin(lua_State *L, struct pattern *state, struct slice subject, struct slice pattern)
{
	const struct vm_limits *limits = &vm_of(L)->limits;
	if (subject.size > limits->subject_bytes)
		vm_fail(L, FAULT_SCRIPT, "pattern_limit", "a pattern may search at most %zu bytes, not %zu",
			limits->subject_bytes, subject.size);
	pattern_init(state, subject, pattern, limits->pattern_steps);
}

static void
check_state(lua_State *L, const struct pattern *state)
{
	if (state->over_limit)
		vm_fail(L, FAULT_SCRIPT, "pattern_limit", "the pattern needs more than %u steps here",
			vm_of(L)->limits.pattern_steps);
	if (state->error != NULL)
		luaL_error(L, "%s", state->error);
}

/* Pushes capture `index`; with no captures at all, 0 is the whole match. */
static void
push_capture(lua_State *L, const struct pattern *state, unsigned index, const char *start, const char *end)
{
	if (index >= state->captures) {
		if (index != 0)
			luaL_error(L, "invalid capture index %%%d", (int)index + 1);
		lua_pushlstring(L, start, (size_t)(end - start));
		return;
	}
	const struct pattern_capture *capture = &state->capture[index];
	if (capture->size == PATTERN_OPEN)
		luaL_error(L, "unfinished capture");
	if (capture->size == PATTERN_POSITION)
		lua_pushinteger(L, capture->start - state->subject + 1);
	else
		lua_pushlstring(L, capture->start, (size_t)capture->size);
}

/* With `start` NULL only real captures, without the whole match. Gives their number. */
static int
push_captures(lua_State *L, const struct pattern *state, const char *start, const char *end)
{
	unsigned count = state->captures == 0 && start != NULL ? 1 : state->captures;
	luaL_checkstack(L, (int)count, "too many captures");
	for (unsigned i = 0; i < count; i++)
		push_capture(L, state, i, start, end);
	return (int)count;
}

/* Argument `index` as an offset from 0; beyond `size` when the search cannot begin. */
static size_t
initial_offset(lua_State *L, int index, size_t size)
{
	lua_Integer position = luaL_optinteger(L, index, 1);
	if (position > 0)
		return (size_t)position - 1;
	if (position == 0 || position < -(lua_Integer)size)
		return 0;
	return size - (size_t)-position;
}

static int
find_plain(lua_State *L, struct slice subject, struct slice wanted, size_t offset)
{
	const char *place = subject.data + offset;
	if (wanted.size > 0)
		place = memmem(place, subject.size - offset, wanted.data, wanted.size);
	if (place == NULL) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, place - subject.data + 1);
	lua_pushinteger(L, place - subject.data + (lua_Integer)wanted.size);
	return 2;
}

static int
search(lua_State *L, bool find)
{
	struct pattern state;
	struct slice subject = check_slice(L, 1), pattern = check_slice(L, 2);
	size_t offset = initial_offset(L, 3, subject.size);
	if (offset > subject.size) {
		lua_pushnil(L);
		return 1;
	}
	if (find && (lua_toboolean(L, 4) || pattern_is_plain(pattern)))
		return find_plain(L, subject, pattern, offset);
	begin(L, &state, subject, pattern);
	const char *start, *end = pattern_search(&state, subject.data + offset, pattern, &start);
	check_state(L, &state);
	if (end == NULL) {
		lua_pushnil(L);
		return 1;
	}
	if (!find)
		return push_captures(L, &state, start, end);
	lua_pushinteger(L, start - subject.data + 1);
	lua_pushinteger(L, end - subject.data);
	return push_captures(L, &state, NULL, NULL) + 2;
}

int
lib_find(lua_State *L)
{
	return search(L, true);
}

int
lib_match(lua_State *L)
{
	return search(L, false);
}

/* Upvalues: subject, pattern, offset of the next try, end of the last match (-1: none). */
static int
gmatch_step(lua_State *L)
{
	struct pattern state;
	struct slice subject = check_slice(L, lua_upvalueindex(1)), pattern = check_slice(L, lua_upvalueindex(2));
	size_t offset = (size_t)lua_tointeger(L, lua_upvalueindex(3));
	lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
	begin(L, &state, subject, pattern);
	for (; offset <= subject.size; offset++) {
		const char *start = subject.data + offset, *end = pattern_match(&state, start, pattern.data);
		check_state(L, &state);
		if (end == NULL || end - subject.data == last)
			continue;
		lua_pushinteger(L, end - subject.data);
		lua_pushvalue(L, -1);
		lua_replace(L, lua_upvalueindex(3));
		lua_replace(L, lua_upvalueindex(4));
		return push_captures(L, &state, start, end);
	}
	return 0;
}

int
lib_gmatch(lua_State *L)
{
	struct slice subject = check_slice(L, 1);
	check_slice(L, 2);
	size_t offset = initial_offset(L, 3, subject.size);
	if (offset > subject.size)
		offset = subject.size + 1;
	lua_settop(L, 2);
	lua_pushinteger(L, (lua_Integer)offset);
	lua_pushinteger(L, -1);
	lua_pushcclosure(L, gmatch_step, 4);
	return 1;
}

/* "%1" and "%%" in a replacement. */
static void
add_expanded(lua_State *L, const struct pattern *state, luaL_Buffer *out, const char *start, const char *end)
{
	struct slice text;
	text.data = lua_tolstring(L, 3, &text.size);
	const char *at = text.data, *stop = at + text.size;
	while (at < stop) {
		const char *escape = memchr(at, '%', (size_t)(stop - at));
		luaL_addlstring(out, at, (size_t)((escape != NULL ? escape : stop) - at));
		if (escape == NULL)
			return;
		char c = escape + 1 < stop ? escape[1] : '\0';
		at = escape + 2;
		if (c == '%') {
			luaL_addchar(out, '%');
		} else if (c == '0') {
			luaL_addlstring(out, start, (size_t)(end - start));
		} else if (c >= '1' && c <= '9') {
			push_capture(L, state, (unsigned)(c - '1'), start, end);
			luaL_addvalue(out);
		} else {
			luaL_error(L, "invalid use of '%%' in replacement string");
		}
	}
}

/* Adds what replaces the match. Gives false when that is the match itself. */
static bool
add_replacement(lua_State *L, const struct pattern *state, luaL_Buffer *out, const char *start, const char *end)
{
	switch (lua_type(L, 3)) {
	case LUA_TFUNCTION:
		lua_pushvalue(L, 3);
		lua_call(L, push_captures(L, state, start, end), 1);
		break;
	case LUA_TTABLE:
		push_capture(L, state, 0, start, end);
		lua_gettable(L, 3);
		break;
	default:
		add_expanded(L, state, out, start, end);
		return true;
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		luaL_addlstring(out, start, (size_t)(end - start));
		return false;
	}
	if (!lua_isstring(L, -1))
		luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
	luaL_addvalue(out);
	return true;
}

int
lib_gsub(lua_State *L)
{
	struct pattern state;
	struct slice subject = check_slice(L, 1), pattern = check_slice(L, 2);
	int type = lua_type(L, 3);
	luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TTABLE || type == LUA_TFUNCTION,
			 3, "string/function/table");
	lua_Integer limit = luaL_optinteger(L, 4, (lua_Integer)subject.size + 1), count = 0;
	bool anchor = pattern.size > 0 && pattern.data[0] == '^', changed = false;
	const char *at = subject.data, *stop = at + subject.size, *last = NULL;
	luaL_Buffer out;
	begin(L, &state, subject, pattern);
	luaL_buffinit(L, &out);
	while (count < limit) {
		const char *end = pattern_match(&state, at, pattern.data + anchor);
		check_state(L, &state);
		if (end != NULL && end != last) {
			count++;
			changed |= add_replacement(L, &state, &out, at, end);
			at = last = end;
		} else if (at < stop) {
			luaL_addchar(&out, *at++);
		} else {
			break;
		}
		if (anchor)
			break;
	}
	if (changed) {
		luaL_addlstring(&out, at, (size_t)(stop - at));
		luaL_pushresult(&out);
	} else {
		lua_pushvalue(L, 1);
	}
	lua_pushinteger(L, count);
	return 2;
}

int
lib_format(lua_State *L)
{
	struct slice format = check_slice(L, 1);
	const char *at = format.data, *end = at + format.size;
	int argument = 1, top = lua_gettop(L);
	while (at < end) {
		if (*at++ != '%')
			continue;
		if (at < end && *at == '%') {
			at++;
			continue;
		}
		while (at < end && *at != '\0' && strchr("-+ #0123456789.", *at) != NULL)
			at++;
		argument++;
		if (at < end && *at == 'p')
			return luaL_error(L, "invalid conversion '%%p' to 'format': addresses differ from run to run");
		if (at < end && *at == 's' && argument <= top && lua_type(L, argument) > LUA_TSTRING) {
			sandbox_tostring(L, argument);
			lua_replace(L, argument);
		} else if (at < end && *at == 's' && argument <= top && lua_islightuserdata(L, argument)) {
			sandbox_tostring(L, argument);
			lua_replace(L, argument);
		}
	}
	return vm_of(L)->stock_format(L);
}

int
lib_rep(lua_State *L)
{
	struct slice text = check_slice(L, 1);
	lua_Integer count = luaL_checkinteger(L, 2);
	struct slice between = { "", 0 };
	luaL_Buffer out;
	if (!lua_isnoneornil(L, 3))
		between = check_slice(L, 3);
	size_t limit = vm_of(L)->limits.block_bytes, unit = text.size + between.size;
	if (count <= 0 || unit == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	if ((lua_Unsigned)count > limit / unit)
		vm_fail(L, FAULT_SCRIPT, "memory_limit", "string.rep: the result would be longer than %zu bytes",
			limit);
	size_t size = unit * (size_t)count - between.size;
	char *to = luaL_buffinitsize(L, &out, size);
	while (count-- > 0) {
		memcpy(to, text.data, text.size);
		to += text.size;
		if (count > 0 && between.size > 0) {
			memcpy(to, between.data, between.size);
			to += between.size;
		}
	}
	luaL_pushresultsize(&out, size);
	return 1;
}
