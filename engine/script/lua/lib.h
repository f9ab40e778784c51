/* SPDX-License-Identifier: MIT */
/* The sandbox's own functions, named in allow.c, and what they share. */
#ifndef MOONLOG_SCRIPT_LUA_LIB_H
#define MOONLOG_SCRIPT_LUA_LIB_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct buf;

/* lib_base.c */
int lib_print(lua_State *L);
int lib_tostring(lua_State *L);
int lib_xpcall(lua_State *L);
int lib_rawset(lua_State *L);
int lib_require(lua_State *L);
/* lib_meta.c */
int lib_getmetatable(lua_State *L);
int lib_setmetatable(lua_State *L);
/* Is the key at `index` one that the sandbox hides in a script's table? */
bool lib_hidden_key(lua_State *L, int index);
/* lib_pairs.c */
int lib_pairs(lua_State *L);
int lib_next(lua_State *L);
/* lib_coroutine.c */
int lib_resume(lua_State *L);
int lib_wrap(lua_State *L);
/* lib_table.c */
int lib_insert(lua_State *L);
int lib_remove(lua_State *L);
int lib_move(lua_State *L);
int lib_sort(lua_State *L);
/* lib_string.c */
int lib_format(lua_State *L);
int lib_rep(lua_State *L);
int lib_find(lua_State *L);
int lib_match(lua_State *L);
int lib_gmatch(lua_State *L);
int lib_gsub(lua_State *L);
/* lib_json.c */
int lib_json_encode(lua_State *L);
int lib_json_decode(lua_State *L);
int lib_json_array(lua_State *L);
int lib_json_isarray(lua_State *L);
int lib_json_isnull(lua_State *L);
/* lib_time.c */
int lib_time_parse(lua_State *L);
int lib_time_format(lua_State *L);
int lib_time_add(lua_State *L);
int lib_time_date(lua_State *L);
/* lib_money.c */
int lib_money_parse(lua_State *L);
int lib_money_format(lua_State *L);
int lib_money_decimals(lua_State *L);

/* Raises when the table at `index` is a read-only view; `index` must be a table. */
void lib_check_writable(lua_State *L, int index);
/* Pushes a userdata that frees its buffer also when an error jumps past. Capacity as buf_init. */
struct buf *lib_push_buf(lua_State *L, size_t cap_bytes);
/* Line ends and other control characters become blanks. */
void lib_one_line(char *text);

#endif
