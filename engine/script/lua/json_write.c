/* SPDX-License-Identifier: MIT */
/*
 * Promises: equal values give equal bytes (keys sorted bytewise, no blanks, one form a number and a string) and what is
 * written reads back as the same value, subtypes and empty arrays included. What has no JSON form is refused with its
 * path, never guessed. Metamethods are not run.
 *
 * Members wait on the Lua stack while their keys are sorted by their first eight bytes as a number; objects with more
 * than MEMBERS_FEW of them sort pointers in a block of the state and look the values up again.
 */
#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "script/lua/json_writer.h"
#include "script/lua/lib.h"
#include "script/lua/sandbox.h"

#define MEMBERS_FEW 32

struct member {
	uint64_t prefix;
	struct slice key;
	int value; /* stack index; 0: look it up */
};

void
json_writer_init(struct json_writer *writer, lua_State *L, struct buf *out, const struct json_limits *limits)
{
	*writer = (struct json_writer){ .L = L, .out = out, .start = out->size, .limits = json_limits_filled(limits) };
	writer->array_metatable = json_array_metatable(L);
}

void
json_place_text(const struct json_place *place, char *text, size_t size)
{
	const struct json_place *chain[64];
	size_t depth = 0, used = 0;
	for (; place != NULL && depth < countof(chain); place = place->outer)
		chain[depth++] = place;
	text[0] = '\0';
	while (depth > 0 && used + 1 < size) {
		const struct json_place *step = chain[--depth];
		int wrote = step->key.data == NULL
				    ? snprintf(text + used, size - used, "[%lld]", (long long)step->index)
				    : snprintf(text + used, size - used, "%s%.*s", used > 0 ? "." : "",
					       SLICE_ARG(step->key));
		if (wrote < 0)
			break;
		used += (size_t)wrote;
	}
	lib_one_line(text);
}

bool
json_writer_fail(struct json_writer *writer, const struct json_place *place, const char *code, const char *format, ...)
{
	if (writer->reason[0] != '\0')
		return false;
	va_list args;
	va_start(args, format);
	vsnprintf(writer->reason, sizeof writer->reason, format, args);
	va_end(args);
	snprintf(writer->code, sizeof writer->code, "%s", code);
	json_place_text(place, writer->path, sizeof writer->path);
	return false;
}

/* ---- strings and numbers ---- */

static void
put_escape(struct buf *out, unsigned char c)
{
	static const char names[] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'
	};
	static const char digits[] = "0123456789abcdef";
	if (c < sizeof names && names[c] != '\0') {
		char pair[2] = { '\\', names[c] };
		json_put(out, pair, 2);
		return;
	}
	char unit[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };
	json_put(out, unit, sizeof unit);
}

#define ONES UINT64_C(0x0101010101010101)

/* Not 0 when some byte of the word must be escaped: eight at a time. */
static uint64_t
some_escaped(uint64_t word)
{
	uint64_t quote = word ^ ('"' * ONES), slash = word ^ ('\\' * ONES);
	return (((word - ' ' * ONES) & ~word) | ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash)) & (0x80 * ONES);
}

/* How many bytes of a string stand for themselves. *upper when some are not ASCII. */
static size_t
plain_span(const char *data, size_t size, bool *upper)
{
	size_t at = 0;
	uint64_t word;
	for (; at + sizeof word <= size; at += sizeof word) {
		memcpy(&word, data + at, sizeof word);
		if (some_escaped(word) != 0)
			break;
		*upper |= (word & (0x80 * ONES)) != 0;
	}
	for (; at < size; at++) {
		unsigned char c = (unsigned char)data[at];
		if (c < ' ' || c == '"' || c == '\\')
			break;
		*upper |= c >= 0x80;
	}
	return at;
}

bool
json_writer_text(struct json_writer *writer, struct slice text, const struct json_place *place)
{
	struct buf *out = writer->out;
	bool upper = false;
	if (text.size > writer->limits.string_bytes)
		return json_writer_fail(writer, place, "json_limit", "a string of %zu bytes is too long", text.size);
	json_put_byte(out, '"');
	for (size_t at = 0;;) {
		size_t span = plain_span(text.data + at, text.size - at, &upper);
		json_put(out, text.data + at, span);
		at += span;
		if (at == text.size)
			break;
		put_escape(out, (unsigned char)text.data[at++]);
	}
	json_put_byte(out, '"');
	if (upper && !json_utf8(text))
		return json_writer_fail(writer, place, "bad_json_value", "the string is not UTF-8");
	return true;
}

static bool
write_string(struct json_writer *writer, int index, const struct json_place *place)
{
	struct slice text;
	text.data = lua_tolstring(writer->L, index, &text.size);
	return json_writer_text(writer, text, place);
}

bool
json_writer_float(struct json_writer *writer, double number, const struct json_place *place)
{
	char text[JSON_NUMBER_SIZE];
	if (!isfinite(number))
		return json_writer_fail(writer, place, "bad_json_value", "%s has no JSON form",
					isnan(number) ? "NaN" : "infinity");
	json_put(writer->out, text, json_float_text(number, text));
	return true;
}

static bool
write_number(struct json_writer *writer, int index, const struct json_place *place)
{
	char text[JSON_NUMBER_SIZE];
	if (!lua_isinteger(writer->L, index))
		return json_writer_float(writer, lua_tonumber(writer->L, index), place);
	json_put(writer->out, text, json_integer_text(lua_tointeger(writer->L, index), text));
	return true;
}

/* ---- tables ---- */

/* Are the keys of the table on top 1..count and nothing else? Elements in the array part come first and in order. */
static bool
is_sequence(lua_State *L, lua_Integer count)
{
	lua_Integer seen = 0;
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1 || lua_tointeger(L, -1) > count) {
			lua_pop(L, 1);
			return false;
		}
		seen++;
	}
	return seen == count;
}

bool
json_writer_shape(struct json_writer *writer, int index, const struct json_place *place, enum json_shape *shape,
		  lua_Integer *count)
{
	lua_State *L = writer->L;
	bool tagged = false;
	if (lua_getmetatable(L, index)) {
		tagged = lua_topointer(L, -1) == writer->array_metatable;
		lua_pop(L, 1);
		if (tagged || !sandbox_thaw(L, index))
			lua_pushvalue(L, index);
		else
			return json_writer_shape(writer, lua_gettop(L), place, shape, count) &&
			       (lua_remove(L, -2), true);
	} else {
		lua_pushvalue(L, index);
	}
	*shape = JSON_SHAPE_OBJECT;
	*count = 0;
	if (!tagged) {
		lua_pushnil(L);
		if (!lua_next(L, -2))
			return true;
		bool numbered = lua_type(L, -2) == LUA_TNUMBER;
		lua_pop(L, 2);
		if (!numbered)
			return true;
	}
	*shape = JSON_SHAPE_ARRAY;
	*count = (lua_Integer)lua_rawlen(L, -1);
	if (!is_sequence(L, *count))
		return json_writer_fail(writer, place, "bad_json_value",
					"%s is no array: its keys are not 1 to n without holes",
					tagged ? "the list" : "a table with a number as key");
	return true;
}

static uint64_t
prefix_of(struct slice key)
{
	uint64_t prefix = 0;
	memcpy(&prefix, key.data, key.size < 8 ? key.size : 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	prefix = __builtin_bswap64(prefix);
#endif
	return prefix;
}

static int
member_compare(const void *left, const void *right)
{
	const struct member *a = left, *b = right;
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	return slice_compare(a->key, b->key);
}

static void
sort_few(struct member *members, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct member member = members[i];
		size_t at = i;
		for (; at > 0 && member_compare(&members[at - 1], &member) > 0; at--)
			members[at] = members[at - 1];
		members[at] = member;
	}
}

static bool
write_members(struct json_writer *writer, int table, const struct member *members, size_t count,
	      const struct json_member_writer *member, const struct json_place *outer)
{
	lua_State *L = writer->L;
	struct json_place place = { .outer = outer };
	json_put_byte(writer->out, '{');
	for (size_t i = 0; i < count; i++) {
		place.key = members[i].key;
		if (i > 0)
			json_put_byte(writer->out, ',');
		if (!json_writer_text(writer, place.key, &place))
			return false;
		json_put_byte(writer->out, ':');
		int value = members[i].value;
		if (value == 0) {
			lua_pushlstring(L, place.key.data, place.key.size);
			lua_rawget(L, table);
			value = lua_gettop(L);
		}
		if (!(member == NULL ? json_writer_value(writer, value, &place)
				     : member->value(member->self, value, &place)))
			return false;
		if (members[i].value == 0)
			lua_pop(L, 1);
	}
	json_put_byte(writer->out, '}');
	return true;
}

static bool
member_key(struct json_writer *writer, int index, struct member *member, const struct json_place *place)
{
	lua_State *L = writer->L;
	if (lua_type(L, index) != LUA_TSTRING)
		return json_writer_fail(writer, place, "bad_json_value", "an object cannot have a key of type %s",
					luaL_typename(L, index));
	member->key.data = lua_tolstring(L, index, &member->key.size);
	member->prefix = prefix_of(member->key);
	member->value = 0;
	return true;
}

static bool
write_many(struct json_writer *writer, int table, const struct json_member_writer *member,
	   const struct json_place *place)
{
	lua_State *L = writer->L;
	size_t count = 0, at = 0;
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
		count++;
	/* Each member takes five bytes at least: what cannot fit is not sorted first. */
	if (count > writer->limits.total_bytes / 5)
		return json_writer_fail(writer, place, "json_limit",
					"an object of %zu members is longer than %zu bytes", count,
					writer->limits.total_bytes);
	struct member *members = lua_newuserdatauv(L, count * sizeof *members, 0);
	lua_pushnil(L);
	while (lua_next(L, table)) {
		lua_pop(L, 1);
		if (lib_hidden_key(L, -1))
			continue;
		if (!member_key(writer, lua_gettop(L), &members[at++], place))
			return false;
	}
	qsort(members, at, sizeof *members, member_compare);
	return write_members(writer, table, members, at, member, place);
}

bool
json_writer_object(struct json_writer *writer, const struct json_member_writer *member, const struct json_place *place)
{
	lua_State *L = writer->L;
	struct member members[MEMBERS_FEW];
	int table = lua_gettop(L);
	size_t count = 0;
	lua_pushnil(L);
	while (lua_next(L, table)) {
		if (lib_hidden_key(L, -2)) {
			lua_pop(L, 1);
			continue;
		}
		if (count == MEMBERS_FEW) {
			lua_settop(L, table);
			return write_many(writer, table, member, place);
		}
		int key = lua_gettop(L) - 1;
		if (!member_key(writer, key, &members[count], place))
			return false;
		members[count++].value = key + 1;
		lua_pushvalue(L, key);
	}
	sort_few(members, count);
	return write_members(writer, table, members, count, member, place);
}

/* The array on top. */
static bool
write_array(struct json_writer *writer, lua_Integer count, const struct json_place *outer)
{
	lua_State *L = writer->L;
	struct json_place place = { .outer = outer };
	int table = lua_gettop(L);
	json_put_byte(writer->out, '[');
	for (lua_Integer i = 1; i <= count; i++) {
		place.index = i;
		if (i > 1)
			json_put_byte(writer->out, ',');
		lua_rawgeti(L, table, i);
		if (!json_writer_value(writer, table + 1, &place))
			return false;
		lua_pop(L, 1);
	}
	json_put_byte(writer->out, ']');
	return true;
}

bool
json_writer_deeper(struct json_writer *writer, const struct json_place *place)
{
	if (++writer->depth > writer->limits.depth)
		return json_writer_fail(writer, place, "json_limit",
					"nested deeper than %u (a table that holds itself?)", writer->limits.depth);
	luaL_checkstack(writer->L, 2 * MEMBERS_FEW + 12, NULL);
	return true;
}

static bool
write_table(struct json_writer *writer, int index, const struct json_place *place)
{
	lua_State *L = writer->L;
	enum json_shape shape;
	lua_Integer count;
	int top = lua_gettop(L);
	if (!json_writer_deeper(writer, place) || !json_writer_shape(writer, index, place, &shape, &count))
		return false;
	if (!(shape == JSON_SHAPE_ARRAY ? write_array(writer, count, place) : json_writer_object(writer, NULL, place)))
		return false;
	if (writer->out->failed || writer->out->size - writer->start > writer->limits.total_bytes)
		return json_writer_fail(writer, place, "json_limit", "the value is longer than %zu bytes as JSON",
					writer->out->failed ? writer->out->cap_bytes : writer->limits.total_bytes);
	lua_settop(L, top);
	writer->depth--;
	return true;
}

bool
json_writer_value(struct json_writer *writer, int index, const struct json_place *place)
{
	lua_State *L = writer->L;
	switch (lua_type(L, index)) {
	case LUA_TSTRING:
		return write_string(writer, index, place);
	case LUA_TNUMBER:
		return write_number(writer, index, place);
	case LUA_TBOOLEAN:
		if (lua_toboolean(L, index))
			json_put(writer->out, "true", 4);
		else
			json_put(writer->out, "false", 5);
		return true;
	case LUA_TTABLE:
		return write_table(writer, index, place);
	default:
		if (json_is_null(L, index)) {
			json_put(writer->out, "null", 4);
			return true;
		}
		return json_writer_fail(writer, place, "bad_json_value", "a %s has no JSON form",
					luaL_typename(L, index));
	}
}

int
json_write(lua_State *L, int index, struct buf *out, const struct json_limits *limits, struct fault *fault)
{
	struct json_writer writer;
	int top = lua_gettop(L);
	luaL_checkstack(L, 8, NULL);
	index = lua_absindex(L, index);
	json_writer_init(&writer, L, out, limits);
	bool written = json_writer_value(&writer, index, NULL);
	lua_settop(L, top);
	if (written && !out->failed && out->size - writer.start > writer.limits.total_bytes)
		written = json_writer_fail(&writer, NULL, "json_limit", "the value is longer than %zu bytes as JSON",
					   writer.limits.total_bytes);
	if (written && !out->failed)
		return 0;
	if (written)
		json_writer_fail(&writer, NULL, "json_limit", "the value is longer than %zu bytes as JSON",
				 out->cap_bytes);
	out->size = writer.start;
	out->failed = false;
	return fault_set(fault, strcmp(writer.code, "json_limit") == 0 ? FAULT_LIMIT : FAULT_SCRIPT, writer.code,
			 "%s%s%s", writer.path, writer.path[0] != '\0' ? ": " : "", writer.reason);
}
