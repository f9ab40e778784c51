/* SPDX-License-Identifier: MIT */
/*
 * Runs a configuration file in a Lua state of its own that has no library, little memory and a bounded number of steps,
 * then walks the table it returned. Nested tables are sections ("log.level"), tables with [1] are lists. Values are
 * gathered first and told in order of lines, so that the first wrong one of the file is the one that is reported.
 * Everything that touches Lua happens below one lua_pcall; memory that runs out comes back as a fault.
 */
#include "script/lua/config_file.h"

#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "script/lua/config_lines.h"

#define FILE_MAX   ((size_t)1 << 20)
#define HEAP_MAX   ((size_t)16 << 20)
#define STEPS_MAX  10000000
#define DEPTH_MAX  4
#define VALUES_MAX 1024

struct told {
	struct slice key;
	struct moon_config_value value;
	size_t order;
};

struct reading {
	const char *path;
	struct slice source;
	struct arena arena;
	struct told *told; /* VALUES_MAX of them */
	size_t count;
	struct fault *fault;
	int result;
};

static void *
allocate(void *self, void *block, size_t old_size, size_t new_size)
{
	size_t *used = self;
	size_t old = block != NULL ? old_size : 0;

	if (new_size == 0) {
		*used -= old;
		free(block);
		return NULL;
	}
	if (new_size > old && *used - old + new_size > HEAP_MAX)
		return NULL;
	void *moved = realloc(block, new_size);
	if (moved != NULL)
		*used += new_size - old;
	return moved;
}

static void
too_long(lua_State *L, lua_Debug *debug)
{
	(void)debug;
	luaL_where(L, 0); /* a hook has no level of its own */
	lua_pushstring(L, "the configuration runs too long");
	lua_concat(L, 2);
	lua_error(L);
}

static int
refuse(struct reading *reading, struct slice key, const char *reason)
{
	int line = config_line_of(reading->source, key);

	reading->result = -1;
	if (line > 0)
		return fault_set(reading->fault, FAULT_CONFIG, "bad_configuration", "%s:%d: %.*s: %s", reading->path,
				 line, SLICE_ARG(key), reason);
	return fault_set(reading->fault, FAULT_CONFIG, "bad_configuration", "%s: %.*s: %s", reading->path,
			 SLICE_ARG(key), reason);
}

static int walk_table(lua_State *L, struct reading *reading, struct slice key, int depth);

/* Keeps the scalar, or the empty table, on top of the stack. */
static int
keep_scalar(lua_State *L, struct reading *reading, struct slice key, bool item)
{
	struct moon_config_value value = { .item = item, .line = config_line_of(reading->source, key) };
	size_t size;

	switch (lua_type(L, -1)) {
	case LUA_TSTRING:
		value.kind = MOON_CONFIG_TEXT;
		value.text.data = lua_tolstring(L, -1, &size);
		value.text = arena_copy(&reading->arena, slice_from(value.text.data, size));
		break;
	case LUA_TNUMBER:
		value.kind = lua_isinteger(L, -1) ? MOON_CONFIG_INTEGER : MOON_CONFIG_REAL;
		value.integer = lua_isinteger(L, -1) ? (int64_t)lua_tointeger(L, -1) : 0;
		break;
	case LUA_TBOOLEAN:
		value.kind = MOON_CONFIG_BOOLEAN;
		value.boolean = lua_toboolean(L, -1);
		break;
	case LUA_TTABLE:
		if (!item) {
			value.kind = MOON_CONFIG_EMPTY;
			break;
		}
		/* fall through */
	default:
		return refuse(reading, key, "a value is text, a number, true or false, or a list of these");
	}
	if (reading->count == VALUES_MAX)
		return refuse(reading, key, "too many values in one configuration");
	reading->told[reading->count] = (struct told){ key, value, reading->count };
	reading->count++;
	return 0;
}

static int
walk_list(lua_State *L, struct reading *reading, struct slice key)
{
	lua_Integer size = (lua_Integer)lua_rawlen(L, -1);

	for (lua_Integer i = 1; i <= size; i++) {
		lua_rawgeti(L, -1, i);
		if (keep_scalar(L, reading, key, true) != 0)
			return -1;
		lua_pop(L, 1);
	}
	return 0;
}

/* The member whose key and value are on top of the stack. */
static int
walk_member(lua_State *L, struct reading *reading, struct slice prefix, int depth)
{
	if (lua_type(L, -2) != LUA_TSTRING)
		return refuse(reading, prefix.size != 0 ? prefix : SLICE("the table"),
			      "keys are names; a list holds nothing but its items");
	const char *name = lua_tostring(L, -2);
	struct slice key = prefix.size == 0 ? arena_format(&reading->arena, "%s", name)
					    : arena_format(&reading->arena, "%.*s.%s", SLICE_ARG(prefix), name);
	if (key.data == NULL)
		return refuse(reading, prefix, "out of memory");
	if (lua_type(L, -1) != LUA_TTABLE)
		return keep_scalar(L, reading, key, false);
	if (lua_rawlen(L, -1) > 0)
		return walk_list(L, reading, key);
	lua_pushnil(L);
	if (lua_next(L, -2) == 0)
		return keep_scalar(L, reading, key, false);
	lua_pop(L, 2);
	if (depth == DEPTH_MAX)
		return refuse(reading, key, "sections are nested too deep");
	return walk_table(L, reading, key, depth + 1);
}

static int
walk_table(lua_State *L, struct reading *reading, struct slice key, int depth)
{
	luaL_checkstack(L, 8, "configuration");
	lua_pushnil(L);
	while (lua_next(L, -2) != 0) {
		if (walk_member(L, reading, key, depth) != 0)
			return -1;
		lua_pop(L, 1);
	}
	return 0;
}

static int
run(lua_State *L)
{
	struct reading *reading = lua_touserdata(L, 1);

	/* Lua shortens long chunk names: "@" stands for the path until the message is made. */
	if (luaL_loadbufferx(L, reading->source.data, reading->source.size, "=@", "t") != LUA_OK)
		return lua_error(L);
	lua_sethook(L, too_long, LUA_MASKCOUNT, STEPS_MAX);
	lua_call(L, 0, 1);
	if (!lua_istable(L, -1))
		return luaL_error(L, "the file must return a table: return { data = \"...\", ... }");
	walk_table(L, reading, SLICE_NONE, 0);
	return 0;
}

static int
run_bare(struct reading *reading)
{
	size_t used = 0;
	lua_State *L = lua_newstate(allocate, &used);

	if (L == NULL)
		return fault_set(reading->fault, FAULT_MEMORY, "memory", "%s: no memory to read it", reading->path);
	/* Before the pcall nothing is allocated but what lua_newstate reserved: pushing these two cannot raise. */
	lua_pushcfunction(L, run);
	lua_pushlightuserdata(L, reading);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
		const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error that is no text";
		bool placed = strncmp(text, "@:", 2) == 0;
		reading->result = fault_set(reading->fault, FAULT_CONFIG, "bad_configuration", "%s%s%s", reading->path,
					    placed ? "" : ": ", placed ? text + 1 : text);
	}
	lua_close(L);
	return reading->result;
}

static int
read_file(const char *path, struct arena *arena, struct slice *bytes, struct fault *fault)
{
	FILE *file = fopen(path, "rbe");
	int result = -1;

	if (file == NULL && errno == ENOENT)
		return fault_set(fault, FAULT_CONFIG, "configuration_missing", "%s: no such file", path);
	if (file == NULL)
		return fault_errno(fault, FAULT_CONFIG, errno, "%s", path);
	char *data = arena_alloc(arena, FILE_MAX + 1);
	if (data == NULL) {
		fault_set(fault, FAULT_MEMORY, "memory", "%s: no memory to read it", path);
		goto out;
	}
	size_t size = fread(data, 1, FILE_MAX + 1, file);
	if (ferror(file)) {
		fault_errno(fault, FAULT_CONFIG, errno, "%s", path);
		goto out;
	}
	if (size > FILE_MAX) {
		fault_set(fault, FAULT_CONFIG, "bad_configuration", "%s: larger than 1 MiB", path);
		goto out;
	}
	*bytes = slice_from(data, size);
	result = 0;
out:
	fclose(file);
	return result;
}

static int
by_line(const void *a, const void *b)
{
	const struct told *first = a, *second = b;

	if (first->value.line != second->value.line)
		return first->value.line < second->value.line ? -1 : 1;
	int order = slice_compare(first->key, second->key);
	return order != 0 ? order : (first->order < second->order ? -1 : 1);
}

int
moon_config_read(const char *path, const struct moon_config_sink *sink, struct fault *fault)
{
	struct reading reading = { .path = path, .fault = fault };
	int result = -1;

	arena_init(&reading.arena, 4 * FILE_MAX);
	if (read_file(path, &reading.arena, &reading.source, fault) != 0)
		goto out;
	reading.told = arena_alloc(&reading.arena, VALUES_MAX * sizeof(*reading.told));
	if (reading.told == NULL) {
		fault_set(fault, FAULT_MEMORY, "memory", "%s: no memory to read it", path);
		goto out;
	}
	if (run_bare(&reading) != 0)
		goto out;
	qsort(reading.told, reading.count, sizeof(*reading.told), by_line);
	result = 0;
	for (size_t i = 0; i < reading.count && result == 0; i++)
		result = sink->each(sink->self, reading.told[i].key, &reading.told[i].value, fault);
out:
	arena_fini(&reading.arena);
	return result;
}
