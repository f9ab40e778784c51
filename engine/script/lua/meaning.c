/* SPDX-License-Identifier: MIT */
/*
 * A function is its lines in the source, comments included, and the names and values of its upvalues; so a change
 * anywhere else in the file leaves it as it was. Its globals are the sandbox, which is the same for all. A value met
 * before is its number, so that what refers to itself ends.
 *
 * A library function is known by its name in the allow-list. Coroutines and userdata have no meaning that can be told.
 */
#include "script/lua/meaning.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "script/lua/sandbox.h"

#define DEPTH_MAX 200

static void
add_text(struct meaning *meaning, const char *tag, struct slice text)
{
	digest_add_slice(meaning->state, slice_text(tag));
	digest_add_slice(meaning->state, text);
}

/* ---- functions ---- */

static const struct source_file *
find_source(const struct source_set *sources, const char *chunk)
{
	for (size_t i = 0; i < sources->count; i++)
		if (chunk[0] == '@' && slice_equal(sources->items[i].path, slice_text(chunk + 1)))
			return &sources->items[i];
	return NULL;
}

/* Lines first..last, counted from 1. */
static struct slice
lines_of(struct slice text, int first, int last)
{
	size_t begin = 0, end, line = 1;

	while (line < (size_t)first && begin < text.size)
		line += text.data[begin++] == '\n';
	end = begin;
	while (line <= (size_t)last && end < text.size)
		line += text.data[end++] == '\n';
	return slice_from(text.data + begin, end - begin);
}

static void
add_function(struct meaning *meaning, int index)
{
	lua_State *L = meaning->L;
	const struct source_file *source;
	const char *name;
	lua_Debug where;

	lua_pushvalue(L, index);
	lua_getinfo(L, ">S", &where);
	source = find_source(meaning->sources, where.source);
	if (source == NULL || where.linedefined <= 0) {
		meaning->opaque = true;
		return;
	}
	add_text(meaning, "function", lines_of(source->bytes, where.linedefined, where.lastlinedefined));
	for (int i = 1; (name = lua_getupvalue(L, index, i)) != NULL; i++) {
		add_text(meaning, "upvalue", slice_text(name));
		if (strcmp(name, "_ENV") != 0)
			meaning_add(meaning, -1);
		lua_pop(L, 1);
	}
}

/* The C function at `index` by its place in a table of functions on top; false: not there. */
static bool
add_if_named(struct meaning *meaning, int index, const char *library, const char *name)
{
	lua_State *L = meaning->L;
	bool same;

	lua_pushstring(L, name);
	lua_rawget(L, -2);
	same = lua_rawequal(L, -1, index) != 0;
	lua_pop(L, 1);
	if (same) {
		add_text(meaning, "library", slice_text(library));
		digest_add_slice(meaning->state, slice_text(name));
	}
	return same;
}

static void
add_library_function(struct meaning *meaning, int index)
{
	lua_State *L = meaning->L;
	size_t count;
	const struct sandbox_name *names = sandbox_names(&count);
	int top = lua_gettop(L);
	bool found = false;

	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	if (sandbox_thaw(L, -1))
		lua_remove(L, -2);
	for (size_t i = 0; i < count && !found; i++) {
		int globals = top + 1;

		lua_settop(L, globals);
		if (names[i].library[0] != '\0') {
			lua_pushstring(L, names[i].library);
			lua_rawget(L, globals);
			if (sandbox_thaw(L, -1))
				lua_remove(L, -2);
			if (lua_type(L, -1) != LUA_TTABLE)
				continue;
		}
		found = add_if_named(meaning, index, names[i].library, names[i].name);
	}
	lua_settop(L, top);
	if (!found)
		meaning->opaque = true;
}

/* ---- tables ---- */

struct key {
	bool text;
	lua_Integer number;
	struct slice bytes;
};

static int
by_key(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->text != y->text)
		return x->text ? 1 : -1;
	if (x->text)
		return slice_compare(x->bytes, y->bytes);
	return x->number < y->number ? -1 : x->number > y->number;
}

/* The keys of the table at `index` in order, in a userdata pushed. NULL: one is neither text nor integer. */
static struct key *
push_keys(lua_State *L, int index, size_t *count)
{
	struct key *keys;
	size_t at = 0;

	*count = 0;
	for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1))
		(*count)++;
	keys = lua_newuserdatauv(L, (*count + 1) * sizeof(*keys), 0);
	for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
		struct key *key = &keys[at++];

		*key = (struct key){ .text = lua_type(L, -2) == LUA_TSTRING };
		if (key->text)
			key->bytes.data = lua_tolstring(L, -2, &key->bytes.size);
		else if (lua_isinteger(L, -2))
			key->number = lua_tointeger(L, -2);
		else
			return NULL;
	}
	qsort(keys, *count, sizeof(*keys), by_key);
	return keys;
}

static void
add_table(struct meaning *meaning, int index)
{
	lua_State *L = meaning->L;
	int top = lua_gettop(L);
	struct key *keys;
	size_t count;

	if (sandbox_thaw(L, index))
		index = lua_gettop(L);
	keys = push_keys(L, index, &count);
	if (keys == NULL) {
		meaning->opaque = true;
		count = 0;
	}
	add_text(meaning, "table", SLICE_NONE);
	digest_add_u64(meaning->state, count);
	for (size_t i = 0; i < count; i++) {
		if (keys[i].text) {
			add_text(meaning, "key", keys[i].bytes);
			lua_pushlstring(L, keys[i].bytes.data, keys[i].bytes.size);
			lua_rawget(L, index);
		} else {
			add_text(meaning, "index", SLICE_NONE);
			digest_add_u64(meaning->state, (uint64_t)keys[i].number);
			lua_rawgeti(L, index, keys[i].number);
		}
		meaning_add(meaning, -1);
		lua_pop(L, 1);
	}
	if (lua_getmetatable(L, index)) {
		add_text(meaning, "metatable", SLICE_NONE);
		meaning_add(meaning, -1);
	}
	lua_settop(L, top);
}

/* ---- any value ---- */

static void
add_number(struct meaning *meaning, int index)
{
	uint64_t bits;

	if (lua_isinteger(meaning->L, index)) {
		add_text(meaning, "integer", SLICE_NONE);
		bits = (uint64_t)lua_tointeger(meaning->L, index);
	} else {
		double real = lua_tonumber(meaning->L, index);

		add_text(meaning, "real", SLICE_NONE);
		memcpy(&bits, &real, sizeof(bits));
	}
	digest_add_u64(meaning->state, bits);
}

/* Was it met before? Then its number stands for it. */
static bool
add_seen(struct meaning *meaning, int index)
{
	lua_State *L = meaning->L;
	bool met;

	lua_pushvalue(L, index);
	met = lua_rawget(L, meaning->seen) != LUA_TNIL;
	if (met) {
		add_text(meaning, "again", SLICE_NONE);
		digest_add_u64(meaning->state, (uint64_t)lua_tointeger(L, -1));
	}
	lua_pop(L, 1);
	if (met)
		return true;
	lua_pushvalue(L, index);
	lua_pushinteger(L, ++meaning->count);
	lua_rawset(L, meaning->seen);
	return false;
}

void
meaning_add(struct meaning *meaning, int index)
{
	lua_State *L = meaning->L;
	struct slice text;

	index = lua_absindex(L, index);
	if (index > DEPTH_MAX * 4 || !lua_checkstack(L, 16)) {
		meaning->opaque = true;
		return;
	}
	switch (lua_type(L, index)) {
	case LUA_TNIL:
		add_text(meaning, "nil", SLICE_NONE);
		return;
	case LUA_TBOOLEAN:
		add_text(meaning, lua_toboolean(L, index) ? "true" : "false", SLICE_NONE);
		return;
	case LUA_TNUMBER:
		add_number(meaning, index);
		return;
	case LUA_TSTRING:
		text.data = lua_tolstring(L, index, &text.size);
		add_text(meaning, "text", text);
		return;
	case LUA_TLIGHTUSERDATA: /* json.null */
		add_text(meaning, "null", SLICE_NONE);
		return;
	case LUA_TTABLE:
		if (!add_seen(meaning, index))
			add_table(meaning, index);
		return;
	case LUA_TFUNCTION:
		if (lua_iscfunction(L, index))
			add_library_function(meaning, index);
		else if (!add_seen(meaning, index))
			add_function(meaning, index);
		return;
	default:
		meaning->opaque = true;
	}
}

void
meaning_add_field(struct meaning *meaning, int index, const char *field)
{
	lua_State *L = meaning->L;

	index = lua_absindex(L, index);
	add_text(meaning, "field", slice_text(field));
	lua_pushstring(L, field);
	lua_rawget(L, index);
	meaning_add(meaning, -1);
	lua_pop(L, 1);
}

void
meaning_begin(struct meaning *meaning, lua_State *L, const struct source_set *sources, struct digest_state *state)
{
	lua_newtable(L);
	*meaning = (struct meaning){ .L = L, .sources = sources, .state = state, .seen = lua_gettop(L) };
}
