/* SPDX-License-Identifier: MIT */
/*
 * JSON straight between bytes and the Lua stack; strict in, canonical out (rules: docs/INTERFACES.md). Integers keep 64
 * bits, floats keep their subtype (they always show "." or "e"), arrays carry one shared metatable, null is json.null.
 * Equal values give equal bytes. All functions for use inside vm_protect: they may raise for memory, never for input.
 */
#ifndef MOONLOG_SCRIPT_LUA_JSON_H
#define MOONLOG_SCRIPT_LUA_JSON_H

#include <lua.h>

#include "base/buf.h"
#include "base/fault.h"

/* Zero means the default: 64 deep, strings of 256 KiB, numbers of 64 characters, 1 MiB in all. */
#define JSON_TOTAL_BYTES  ((size_t)1 << 20)
#define JSON_STRING_BYTES ((size_t)256 << 10)

struct json_limits {
	uint32_t depth;
	size_t string_bytes;
	size_t number_bytes;
	size_t total_bytes;
};

/* Pushes the value of a whole text. Fails (nothing pushed): INPUT "bad_json" naming the byte offset, LIMIT "json_limit". */
int json_read(lua_State *L, struct slice text, const struct json_limits *limits, struct fault *fault);

/*
 * Appends the canonical bytes of the value at `index`. Metamethods are ignored; frozen views are followed.
 * Fails (out is as before): SCRIPT "bad_json_value" naming the path ("items[3].price: NaN has no JSON form"), LIMIT "json_limit",
 * MEMORY when out cannot grow.
 */
int json_write(lua_State *L, int index, struct buf *out, const struct json_limits *limits, struct fault *fault);

/* With the defaults in the place of zeros. */
struct json_limits json_limits_filled(const struct json_limits *limits);

/* Makes the registry's array metatable; called once, by sandbox_open. */
void json_open(lua_State *L);
void json_push_null(lua_State *L);
bool json_is_null(lua_State *L, int index);
/* Pushes a new table that is an array even when empty. */
void json_new_array(lua_State *L, int expected);
/* Marks the table on top as an array. */
void json_mark_array(lua_State *L);
bool json_is_array(lua_State *L, int index);

#endif
