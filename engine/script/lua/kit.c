/* SPDX-License-Identifier: MIT */
/*
 * Promises: a spec sees what production does: `core`, the table that lua/moonlog/kit.lua stands on, only hands
 * JSON texts to the door of scripts and its answers back. Time, ids and chance are fixed, so a spec gives the
 * same each time.
 *
 * The specs' state is a stock Lua state of its own, but for a bound of its memory: nothing of it reaches the sandbox,
 * and its errors are its own.
 */
#include "script/lua/kit.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "script/lua/alloc.h"
#include "script/lua/json.h"
#include "script/lua/kit_core.h"
#include "script/lua/kit_cover.h"
#include "script/lua/lua_room.h"

#define HEAP_MAX ((size_t)512 << 20) /* of the specs' own state: a daemon runs them on its machine, too */

static void
say(void *self, int level, struct slice domain, struct slice text)
{
	(void)self;
	if (level >= LOG_INFO)
		fprintf(stderr, "%.*s: %.*s\n", SLICE_ARG(domain), SLICE_ARG(text));
}

static int
load_domain(struct kit *kit, const struct kit_folder *folder)
{
	const struct script_options options = { .development = true, .say = say };
	struct fault fault;
	struct kit_domain *domain = &kit->domains[kit->domain_count];
	if (script_load(moon_ops(), folder->sources, &options, &domain->program, &fault) != 0 ||
	    script_open(domain->program, &options, &domain->machine, &fault) != 0) {
		fprintf(stderr, "%s: %s\n", folder->path, fault.text);
		script_unload(domain->program);
		return -1;
	}
	container_of(domain->machine, struct moon_machine, door)->plain_replies = true;
	struct kit_domain *twin = &kit->twins[kit->domain_count++];
	twin->program = domain->program;
	if (script_open(domain->program, &options, &twin->machine, &fault) != 0) {
		fprintf(stderr, "%s: %s\n", folder->path, fault.text);
		return -1;
	}
	container_of(twin->machine, struct moon_machine, door)->plain_replies = true;
	return 0;
}

static void
push_texts(lua_State *L)
{
	lua_newtable(L);
	for (size_t i = 0; i < kit_text_count; i++) {
		lua_pushlstring(L, (const char *)kit_texts[i].bytes, kit_texts[i].size);
		lua_setfield(L, -2, kit_texts[i].name);
	}
}

struct run {
	struct kit *kit;
	int argc;
	const char *const *argv;
	int result;
};

/* Folders' spec/ that exist; one that does not is told. Gives how many. */
static lua_Integer
push_folders(lua_State *L, const struct kit_options *options)
{
	char path[4096];
	lua_newtable(L);
	lua_Integer count = 0;
	for (size_t i = 0; i < options->folder_count; i++) {
		snprintf(path, sizeof path, "%s/spec", options->folders[i].path);
		if (access(path, R_OK) != 0) {
			fprintf(stderr, "moonlog test: %s: %s\n", path, strerror(errno));
			continue;
		}
		lua_pushstring(L, path);
		lua_rawseti(L, -2, ++count);
	}
	return count;
}

static int
run_body(lua_State *L)
{
	struct run *run = lua_touserdata(L, 1);
	luaL_openlibs(L);
	json_open(L);
	push_texts(L);
	int texts = lua_gettop(L);
	lua_getfield(L, texts, "runner");
	size_t size;
	const char *runner = lua_tolstring(L, -1, &size);
	if (luaL_loadbufferx(L, runner, size, "@moonlog test", "t") != LUA_OK)
		return lua_error(L);
	kit_core_push(L, run->kit);
	lua_pushvalue(L, texts);
	lua_newtable(L);
	for (int i = 0; i < run->argc; i++) {
		lua_pushstring(L, run->argv[i]);
		lua_rawseti(L, -2, i + 1);
	}
	run->result = 1;
	if (push_folders(L, run->kit->options) == 0)
		return 0;
	lua_call(L, 4, 1);
	run->result = (int)lua_tointeger(L, -1);
	return 0;
}

/* ---- stopping ---- */

static lua_State *_Atomic running;
static void (*stop)(const char *place);

static bool
is_authors(const char *source)
{
	static const char *const others[] = { "@moonlog", "/busted/", "/luassert/", "/pl/" };
	for (size_t i = 0; i < countof(others); i++)
		if (strstr(source, others[i]) != NULL)
			return false;
	return source[0] == '@';
}

/* The innermost line of an author's. */
static void
stop_here(lua_State *L, lua_Debug *now)
{
	char place[LUA_IDSIZE + 20] = "";
	lua_Debug info;
	(void)now;
	for (int level = 0; place[0] == '\0' && lua_getstack(L, level, &info); level++) {
		lua_getinfo(L, "Sl", &info);
		if (info.currentline > 0 && is_authors(info.source))
			snprintf(place, sizeof place, "%s:%d", info.short_src, info.currentline);
	}
	stop(place);
}

void
moon_stop_specs(void (*stopped)(const char *place))
{
	lua_State *L = atomic_load(&running);
	stop = stopped;
	if (L == NULL)
		stopped("");
	else
		lua_sethook(L, stop_here, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

int
moon_run_specs(int argc, const char *const *argv, const struct kit_options *options)
{
	struct kit kit = { .options = options };
	struct run run = { .kit = &kit, .argc = argc, .argv = argv, .result = 2 };
	struct alloc heap;
	arena_init(&kit.arena, (size_t)256 << 20);
	alloc_init(&heap, HEAP_MAX, HEAP_MAX, NULL);
	lua_State *L = lua_newstate(alloc_lua, &heap);
	for (size_t i = 0; L != NULL && i < options->folder_count && i < KIT_DOMAINS_MAX; i++)
		if (load_domain(&kit, &options->folders[i]) != 0)
			goto out;
	if (L == NULL || options->folder_count > KIT_DOMAINS_MAX) {
		fprintf(stderr, "moonlog test: %s\n", L == NULL ? "no memory" : "too many domains at once");
		goto out;
	}
	if (options->coverage && kit_cover_open(&kit) != 0)
		goto out;
	lua_pushcfunction(L, run_body);
	lua_pushlightuserdata(L, &run);
	atomic_store(&running, L);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		fprintf(stderr, "moonlog test: %s\n", lua_tostring(L, -1));
	atomic_store(&running, NULL);
	if (options->coverage && run.result < 2 && !kit_cover_tell(&kit))
		run.result = 1;
out:
	kit_cover_close(&kit);
	if (L != NULL)
		lua_close(L);
	alloc_fini(&heap);
	for (size_t i = 0; i < kit.domain_count; i++) {
		script_close(kit.domains[i].machine);
		if (kit.twins[i].machine != NULL)
			script_close(kit.twins[i].machine);
		script_unload(kit.domains[i].program);
	}
	arena_fini(&kit.arena);
	return run.result;
}
