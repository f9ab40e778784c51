/* SPDX-License-Identifier: MIT */
/*
 * Promises: a string of JSON becomes a Lua string once, straight from the bytes; what is no UTF-8, holds a control or
 * half an escape is refused with its place.
 *
 * Objects of one kind have the same names again and again, and making a Lua string out of bytes costs a look at each of
 * them: names read lately are kept with their Lua strings in a userdata, and found by their ends.
 *
 * Fails: by a reason and a place in the reader.
 */
#include <lauxlib.h>

#include "base/word.h"
#include "script/lua/json_reader.h"

#define SCRATCH_BYTES 512
#define NAME_SLOTS    128
#define NAME_BYTES    31

static const char key_names = 0;

struct json_names {
	struct {
		uint8_t size; /* 0: none yet */
		char text[NAME_BYTES];
	} slots[NAME_SLOTS];
};

void
json_names_open(lua_State *L)
{
	struct json_names *names = lua_newuserdatauv(L, sizeof *names, NAME_SLOTS);
	memset(names, 0, sizeof *names);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key_names);
}

void
json_names_push(struct json_reader *reader)
{
	lua_rawgetp(reader->L, LUA_REGISTRYINDEX, &key_names);
	reader->names = lua_touserdata(reader->L, -1);
	reader->names_index = lua_gettop(reader->L);
}

/* Length of the well-formed UTF-8 sequence at `at`, or 0. */
static size_t
utf8_size(const unsigned char *at, const unsigned char *end)
{
	size_t left = (size_t)(end - at);
	if (at[0] < 0xc2)
		return 0;
	if (at[0] < 0xe0)
		return left >= 2 && (at[1] & 0xc0) == 0x80 ? 2 : 0;
	if (at[0] < 0xf0) {
		if (left < 3 || (at[1] & 0xc0) != 0x80 || (at[2] & 0xc0) != 0x80)
			return 0;
		if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] >= 0xa0))
			return 0;
		return 3;
	}
	if (at[0] > 0xf4 || left < 4 || (at[1] & 0xc0) != 0x80 || (at[2] & 0xc0) != 0x80 || (at[3] & 0xc0) != 0x80)
		return 0;
	if ((at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] >= 0x90))
		return 0;
	return 4;
}

static bool
hex4(const char *at, const char *end, unsigned *unit)
{
	*unit = 0;
	if (end - at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = at[i];
		unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
				 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
							: 16;
		if (digit == 16)
			return false;
		*unit = *unit << 4 | digit;
	}
	return true;
}

static char *
utf8_put(char *to, unsigned code)
{
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*to++ = (char)(0xe0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	} else {
		*to++ = (char)(0xf0 | code >> 18);
		*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	}
	return to;
}

/* *at stands behind "\u". */
static bool
unescape_unicode(struct json_reader *reader, const char **at, const char *end, char **to)
{
	unsigned unit, low;
	const char *begin = *at - 2;
	if (!hex4(*at, end, &unit))
		return json_reader_fail(reader, begin, "\\u wants four hexadecimal digits");
	*at += 4;
	if (unit >= 0xdc00 && unit < 0xe000)
		return json_reader_fail(reader, begin, "lone surrogate");
	if (unit >= 0xd800 && unit < 0xdc00) {
		if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u' || !hex4(*at + 2, end, &low) || low < 0xdc00 ||
		    low >= 0xe000)
			return json_reader_fail(reader, begin, "lone surrogate");
		*at += 6;
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	}
	*to = utf8_put(*to, unit);
	return true;
}

/* From `at` to `end`, which the scan has passed; never longer than it was. Gives the end in `to`, or NULL. */
static char *
unescape(struct json_reader *reader, const char *at, const char *end, char *to)
{
	while (at < end) {
		if (*at != '\\') {
			*to++ = *at++;
			continue;
		}
		at += 2;
		switch (at[-1]) {
		case 'b':
			*to++ = '\b';
			break;
		case 'f':
			*to++ = '\f';
			break;
		case 'n':
			*to++ = '\n';
			break;
		case 'r':
			*to++ = '\r';
			break;
		case 't':
			*to++ = '\t';
			break;
		case 'u':
			if (!unescape_unicode(reader, &at, end, &to))
				return NULL;
			break;
		case '"':
		case '\\':
		case '/':
			*to++ = at[-1];
			break;
		default:
			json_reader_fail(reader, at - 2, "unknown escape");
			return NULL;
		}
	}
	return to;
}

static bool
push_unescaped(struct json_reader *reader, const char *at, const char *end)
{
	char scratch[SCRATCH_BYTES], *to = scratch;
	bool large = (size_t)(end - at) > sizeof scratch;
	scratch[0] = '\0';
	if (large)
		to = lua_newuserdatauv(reader->L, (size_t)(end - at), 0);
	char *stop = unescape(reader, at, end, to);
	if (stop != NULL)
		lua_pushlstring(reader->L, to, (size_t)(stop - to));
	if (large)
		lua_remove(reader->L, stop != NULL ? -2 : -1);
	return stop != NULL;
}

/* From behind the opening quote to behind the closing one; *raw: the bytes between. */
static bool
scan_string(struct json_reader *reader, struct slice *raw, bool *escaped)
{
	const char *begin = reader->at, *at = begin, *end = reader->end;
	*escaped = false;
	for (;;) {
		at = word_skip_plain(at, end);
		if (at == end)
			return json_reader_fail(reader, begin - 1, "string without end");
		unsigned char c = (unsigned char)*at;
		if (c == '"')
			break;
		if (c == '\\') {
			*escaped = true;
			at += end - at >= 2 ? 2 : 1;
		} else if (c < ' ') {
			return json_reader_fail(reader, at, "control character in a string");
		} else {
			size_t size = utf8_size((const unsigned char *)at, (const unsigned char *)end);
			if (size == 0)
				return json_reader_fail(reader, at, "not UTF-8");
			at += size;
		}
	}
	if ((size_t)(at - begin) > reader->limits.string_bytes)
		return json_reader_fail_limit(reader, begin - 1, "the string is too long");
	reader->at = at + 1;
	*raw = slice_from(begin, (size_t)(at - begin));
	return true;
}

bool
json_reader_string(struct json_reader *reader, struct slice *raw)
{
	struct slice here;
	bool escaped;
	if (!scan_string(reader, &here, &escaped))
		return false;
	if (raw != NULL)
		*raw = here;
	if (escaped)
		return push_unescaped(reader, here.data, here.data + here.size);
	lua_pushlstring(reader->L, here.data, here.size);
	return true;
}

static size_t
name_slot(struct slice name)
{
	char ends[16] = { 0 };
	size_t half = name.size < 8 ? name.size : 8;
	memcpy(ends, name.data, half);
	memcpy(ends + 8, name.data + name.size - half, half);
	uint64_t mixed = (word_get(ends) ^ (word_get(ends + 8) << 3) ^ name.size) * 0x9e3779b97f4a7c15u;
	return (size_t)(mixed >> 57) % NAME_SLOTS;
}

bool
json_reader_name(struct json_reader *reader, struct slice *raw, bool *escaped)
{
	lua_State *L = reader->L;
	if (!scan_string(reader, raw, escaped))
		return false;
	if (*escaped)
		return push_unescaped(reader, raw->data, raw->data + raw->size);
	if (raw->size == 0 || raw->size > NAME_BYTES || reader->names == NULL) {
		lua_pushlstring(L, raw->data, raw->size);
		return true;
	}
	size_t slot = name_slot(*raw);
	uint8_t *size = &reader->names->slots[slot].size;
	char *text = reader->names->slots[slot].text;
	if (*size == raw->size && memcmp(text, raw->data, raw->size) == 0) {
		lua_getiuservalue(L, reader->names_index, (int)slot + 1);
		return true;
	}
	lua_pushlstring(L, raw->data, raw->size);
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, reader->names_index, (int)slot + 1);
	*size = (uint8_t)raw->size;
	memcpy(text, raw->data, raw->size);
	return true;
}
