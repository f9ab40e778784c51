/* SPDX-License-Identifier: MIT */
/*
 * Promises: what is accepted is RFC 8259 in UTF-8 without duplicate keys and nothing else; integers keep 64 bits or are
 * refused, floats are rounded correctly; failures name the byte.
 *
 * Members and elements wait on the Lua stack until their table ends or PENDING of them are there, so that most tables
 * are made at their final size. Canonical bytes come with ascending keys, which proves that no key is doubled; other
 * keys are looked up before they are set.
 *
 * Fails: by a reason and a place in the reader. Lua errors are raised for memory only.
 */
#include <lauxlib.h>
#include <stdlib.h>

#include "script/lua/json_reader.h"
#include "script/lua/json_writer.h"

#define PENDING 32

static const char key_array = 0;
static const char null_value = 0;

void
json_open(lua_State *L)
{
	json_names_open(L);
	lua_createtable(L, 0, 2);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key_array);
}

void
json_push_null(lua_State *L)
{
	union {
		const void *constant;
		void *plain;
	} null = { .constant = &null_value };
	lua_pushlightuserdata(L, null.plain);
}

bool
json_is_null(lua_State *L, int index)
{
	return lua_islightuserdata(L, index) && lua_touserdata(L, index) == &null_value;
}

void
json_mark_array(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &key_array);
	lua_setmetatable(L, -2);
}

void
json_new_array(lua_State *L, int expected)
{
	lua_createtable(L, expected, 0);
	json_mark_array(L);
}

bool
json_is_array(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
		return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &key_array);
	bool same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

const void *
json_array_metatable(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &key_array);
	const void *identity = lua_topointer(L, -1);
	lua_pop(L, 1);
	return identity;
}

struct json_limits
json_limits_filled(const struct json_limits *limits)
{
	struct json_limits filled = limits != NULL ? *limits : (struct json_limits){ 0 };
	if (filled.depth == 0)
		filled.depth = 64;
	if (filled.string_bytes == 0)
		filled.string_bytes = JSON_STRING_BYTES;
	if (filled.number_bytes == 0)
		filled.number_bytes = 64;
	if (filled.total_bytes == 0)
		filled.total_bytes = JSON_TOTAL_BYTES;
	return filled;
}

void
json_reader_init(struct json_reader *reader, lua_State *L, struct slice text, const struct json_limits *limits)
{
	*reader = (struct json_reader){ .L = L, .limits = json_limits_filled(limits) };
	reader->start = reader->at = text.data != NULL ? text.data : "";
	reader->end = reader->start + text.size;
	if (text.size > reader->limits.total_bytes)
		json_reader_fail_limit(reader, reader->start, "the text is too long");
}

bool
json_reader_fail(struct json_reader *reader, const char *at, const char *reason)
{
	if (reader->error == NULL) {
		reader->error = reason;
		reader->error_at = at;
	}
	return false;
}

bool
json_reader_fail_limit(struct json_reader *reader, const char *at, const char *reason)
{
	reader->over_limit = reader->error == NULL;
	return json_reader_fail(reader, at, reason);
}

int
json_reader_fault(const struct json_reader *reader, struct fault *fault)
{
	return fault_set(fault, reader->over_limit ? FAULT_LIMIT : FAULT_INPUT,
			 reader->over_limit ? "json_limit" : "bad_json", "JSON at offset %zu: %s",
			 (size_t)(reader->error_at - reader->start), reader->error);
}

/* ---- tables ---- */

bool
json_reader_open(struct json_reader *reader)
{
	if (++reader->depth > reader->limits.depth)
		return json_reader_fail_limit(reader, reader->at - 1, "nested too deeply");
	luaL_checkstack(reader->L, 2 * PENDING + 8, NULL);
	return true;
}

bool
json_reader_more(struct json_reader *reader, char closing, bool *first)
{
	if (reader->error != NULL)
		return false;
	json_reader_space(reader);
	if (reader->at == reader->end)
		return json_reader_fail(reader, reader->at,
					closing == '}' ? "the object has no end" : "the array has no end");
	if (*reader->at == closing) {
		reader->at++;
		reader->depth--;
		return false;
	}
	if (!*first) {
		if (*reader->at != ',')
			return json_reader_fail(reader, reader->at,
						closing == '}' ? "',' or '}' expected" : "',' or ']' expected");
		reader->at++;
		json_reader_space(reader);
	}
	*first = false;
	if (closing == ']')
		return true;
	if (reader->at == reader->end || *reader->at != '"')
		return json_reader_fail(reader, reader->at, "a key in double quotes expected");
	reader->at++;
	return true;
}

bool
json_reader_colon(struct json_reader *reader)
{
	json_reader_space(reader);
	if (reader->at == reader->end || *reader->at != ':')
		return json_reader_fail(reader, reader->at, "':' expected");
	reader->at++;
	json_reader_space(reader);
	return true;
}

/* Pairs that wait on the stack above their table's place, and where their keys begin. */
struct pairs {
	int table;
	int count;
	bool ascending;
	const char *key_at[PENDING];
};

static bool
flush_checked(struct json_reader *reader, const struct pairs *pairs)
{
	lua_State *L = reader->L;
	for (int i = 0; i < pairs->count; i++) {
		int key = pairs->table + 1 + 2 * i;
		lua_pushvalue(L, key);
		if (lua_rawget(L, pairs->table) != LUA_TNIL)
			return json_reader_fail(reader, pairs->key_at[i], "the key is there twice");
		lua_pushvalue(L, key);
		lua_pushvalue(L, key + 1);
		lua_rawset(L, pairs->table);
		lua_settop(L, pairs->table + 2 * pairs->count);
	}
	lua_settop(L, pairs->table);
	return true;
}

/* Sets the pairs into their table, which is made now if there is none yet. */
static bool
flush_pairs(struct json_reader *reader, struct pairs *pairs)
{
	lua_State *L = reader->L;
	if (lua_isnil(L, pairs->table)) {
		lua_createtable(L, 0, pairs->count);
		lua_replace(L, pairs->table);
	}
	if (!pairs->ascending && !flush_checked(reader, pairs))
		return false;
	if (pairs->ascending)
		for (int i = 0; i < pairs->count; i++)
			lua_rawset(L, pairs->table);
	pairs->count = 0;
	return true;
}

static bool
read_object(struct json_reader *reader)
{
	if (!json_reader_open(reader))
		return false;
	lua_pushnil(reader->L);
	struct pairs pairs = { .table = lua_gettop(reader->L), .ascending = true };
	bool first = true, escaped;
	struct slice last = SLICE_NONE, key;
	while (json_reader_more(reader, '}', &first)) {
		if (!json_reader_name(reader, &key, &escaped) || !json_reader_colon(reader) ||
		    !json_reader_value(reader))
			return false;
		/* bytes order undecoded: an escape in a key voids the proof */
		pairs.ascending = pairs.ascending && !escaped && (last.data == NULL || slice_compare(last, key) < 0);
		last = key;
		pairs.key_at[pairs.count++] = key.data - 1;
		if (pairs.count == PENDING && !flush_pairs(reader, &pairs))
			return false;
	}
	return reader->error == NULL && flush_pairs(reader, &pairs);
}

static void
flush_elements(lua_State *L, int table, lua_Integer done, int count)
{
	if (lua_isnil(L, table)) {
		json_new_array(L, count);
		lua_replace(L, table);
	}
	for (int i = count; i > 0; i--)
		lua_rawseti(L, table, done + i);
}

static bool
read_array(struct json_reader *reader)
{
	lua_State *L = reader->L;
	if (!json_reader_open(reader))
		return false;
	lua_pushnil(L);
	int table = lua_gettop(L), pending = 0;
	lua_Integer done = 0;
	bool first = true;
	while (json_reader_more(reader, ']', &first)) {
		if (!json_reader_value(reader))
			return false;
		if (++pending == 2 * PENDING) {
			flush_elements(L, table, done, pending);
			done += pending;
			pending = 0;
		}
	}
	if (reader->error != NULL)
		return false;
	flush_elements(L, table, done, pending);
	return true;
}

bool
json_reader_word(struct json_reader *reader, const char *word, size_t size)
{
	if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size) != 0)
		return json_reader_fail(reader, reader->at, "a value expected");
	reader->at += size;
	return true;
}

static bool
read_number(struct json_reader *reader)
{
	struct slice raw;
	bool integral;
	int64_t integer;
	double number;
	if (!json_reader_number(reader, &raw, &integral))
		return false;
	if (integral) {
		if (!json_number_integer(raw, &integer))
			return json_reader_fail(reader, raw.data, "integer out of 64-bit range");
		lua_pushinteger(reader->L, integer);
		return true;
	}
	if (!json_number_float(raw, &number))
		return json_reader_fail(reader, raw.data, "number out of range");
	lua_pushnumber(reader->L, number);
	return true;
}

bool
json_reader_value(struct json_reader *reader)
{
	if (reader->at == reader->end)
		return json_reader_fail(reader, reader->at, "a value expected");
	switch (*reader->at) {
	case '"':
		reader->at++;
		return json_reader_string(reader, NULL);
	case '{':
		reader->at++;
		return read_object(reader);
	case '[':
		reader->at++;
		return read_array(reader);
	case 't':
		lua_pushboolean(reader->L, 1);
		return json_reader_word(reader, "true", 4);
	case 'f':
		lua_pushboolean(reader->L, 0);
		return json_reader_word(reader, "false", 5);
	case 'n':
		json_push_null(reader->L);
		return json_reader_word(reader, "null", 4);
	default:
		return read_number(reader);
	}
}

bool
json_reader_end(struct json_reader *reader)
{
	json_reader_space(reader);
	return reader->at == reader->end || json_reader_fail(reader, reader->at, "something after the value");
}

int
json_read(lua_State *L, struct slice text, const struct json_limits *limits, struct fault *fault)
{
	struct json_reader reader;
	int top = lua_gettop(L);
	luaL_checkstack(L, 8, NULL);
	json_reader_init(&reader, L, text, limits);
	if (reader.error == NULL) {
		json_names_push(&reader);
		json_reader_space(&reader);
		if (json_reader_value(&reader) && json_reader_end(&reader)) {
			lua_replace(L, top + 1);
			return 0;
		}
	}
	lua_settop(L, top);
	return json_reader_fault(&reader, fault);
}
