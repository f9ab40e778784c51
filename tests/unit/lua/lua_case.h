/* SPDX-License-Identifier: MIT */
/* Runs Lua source in a fresh sandboxed state and tells how it ended. */
#ifndef MOONLOG_TESTS_UNIT_LUA_LUA_CASE_H
#define MOONLOG_TESTS_UNIT_LUA_LUA_CASE_H

#include <lauxlib.h>

#include "script/lua/sandbox.h"
#include "script/lua/vm.h"
#include "support/check.h"

struct lua_case {
	struct vm *vm;
	struct slice name;
	struct slice source;
	struct fault fault;
	char printed[4096]; /* lines of print */
	char result[1024];  /* what the chunk returned, as text */
};

static inline void
lua_case_print(void *self, struct slice text)
{
	struct lua_case *run = self;
	size_t used = strlen(run->printed);
	snprintf(run->printed + used, sizeof run->printed - used, "%.*s\n", SLICE_ARG(text));
}

static inline struct slice
lua_case_source(void *self, struct slice chunk)
{
	struct lua_case *run = self;
	return slice_equal(chunk, run->name) ? run->source : SLICE_NONE;
}

static inline int
lua_case_body(lua_State *L)
{
	struct lua_case *run = vm_request(L);
	if (sandbox_load(L, run->name, run->source) != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 1);
	sandbox_tostring(L, -1);
	snprintf(run->result, sizeof run->result, "%s", lua_tostring(L, -1));
	return 0;
}

/* NULL limits: the defaults. */
static inline void
lua_case_open(struct lua_case *run, const struct vm_limits *limits)
{
	struct vm_host host = { .print = lua_case_print, .source = lua_case_source, .self = run };
	memset(run, 0, sizeof *run);
	run->name = SLICE("bank/account.lua");
	if (vm_new(limits, &host, NULL, &run->vm, &run->fault) != 0)
		CHECK_FAIL("vm_new: %s", run->fault.text);
}

static inline int
lua_case_run(struct lua_case *run, const char *source)
{
	run->source = slice_text(source);
	run->printed[0] = run->result[0] = '\0';
	fault_clear(&run->fault);
	int result = vm_protect(run->vm, lua_case_body, run, &run->fault);
	CHECK_INT(lua_gettop(run->vm->L), 0);
	return result;
}

static inline void
lua_case_close(struct lua_case *run)
{
	vm_free(run->vm);
}

/* A chunk whose result must be this text. */
static inline void
lua_case_gives(const char *source, const char *wanted)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	if (lua_case_run(&run, source) != 0)
		CHECK_FAIL("%s\nraised: %s", source, run.fault.text);
	if (strcmp(run.result, wanted) != 0)
		CHECK_FAIL("%s\ngave: %s\nnot:  %s", source, run.result, wanted);
	lua_case_close(&run);
}

/* A chunk that must raise with this code and a text that contains `part`. */
static inline void
lua_case_raises(const char *source, const char *code, const char *part)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	if (lua_case_run(&run, source) == 0)
		CHECK_FAIL("%s\ndid not raise but gave: %s", source, run.result);
	if (strstr(run.fault.text, part) == NULL)
		CHECK_FAIL("%s\nraised: %s\nwithout: %s", source, run.fault.text, part);
	CHECK_TEXT(run.fault.code, code);
	lua_case_close(&run);
}

#endif
