/* SPDX-License-Identifier: MIT */
/* The protected door: faults with places, memory limits, raised faults, the collector's step. */
#include "unit/lua/lua_case.h"

TEST(error_has_place_excerpt_and_traceback)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	CHECK_INT(lua_case_run(&run, "local function inner(t)\n\treturn t.missing.field\nend\n"
				     "local function outer(t) return (inner(t)) end\nouter({})\n"),
		  -1);
	CHECK_INT(run.fault.class, FAULT_SCRIPT);
	CHECK_TEXT(run.fault.code, "script_error");
	CHECK_TEXT(run.fault.text, "bank/account.lua:2: attempt to index a nil value (field 'missing')");
	const struct vm_trouble *trouble = &run.vm->trouble;
	CHECK_TEXT(trouble->file, "bank/account.lua");
	CHECK_INT(trouble->line, 2);
	CHECK_TEXT(trouble->message, "attempt to index a nil value (field 'missing')");
	CHECK_TEXT(trouble->excerpt, "    2 | \treturn t.missing.field\n      | \t         ^");
	CHECK_TEXT(trouble->traceback, "bank/account.lua:2\nbank/account.lua:4\nbank/account.lua:5\n");
	lua_case_close(&run);
}

TEST(syntax_error_has_place)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	CHECK_INT(lua_case_run(&run, "local a = 1\nlocal b = = 2\n"), -1);
	CHECK_TEXT(run.fault.text, "bank/account.lua:2: unexpected symbol near '='");
	CHECK_TEXT(run.vm->trouble.excerpt, "    2 | local b = = 2\n      |         ^");
	lua_case_close(&run);
}

TEST(error_level_two_points_to_the_caller)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	CHECK_INT(lua_case_run(&run, "local function check()\n error('no good', 2)\nend\n\ncheck()\n"), -1);
	CHECK_TEXT(run.fault.text, "bank/account.lua:5: no good");
	lua_case_close(&run);
}

TEST(a_text_that_only_looks_like_a_place)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	CHECK_INT(lua_case_run(&run, "\nerror('http://bank:80: no answer', 0)"), -1);
	CHECK_TEXT(run.fault.text, "bank/account.lua:2: http://bank:80: no answer");
	CHECK_INT(lua_case_run(&run, "\nerror('bank/account.lua:1: as if', 0)"), -1);
	CHECK_TEXT(run.fault.text, "bank/account.lua:1: as if");
	CHECK_INT(lua_case_run(&run, "error('no : place 12: here', 0)"), -1);
	CHECK_TEXT(run.fault.text, "bank/account.lua:1: no : place 12: here");
	lua_case_close(&run);
}

TEST(long_file_names_are_whole)
{
	static const char name[] = "a_rather_long_domain/with_a_folder_that_goes_on/and_on/until_messages_cut_it.lua";
	struct lua_case run;
	lua_case_open(&run, NULL);
	run.name = slice_text(name);
	CHECK_INT(lua_case_run(&run, "\n\nlocal x = nil + 1\r\n"), -1);
	CHECK_TEXT(run.vm->trouble.file, name);
	CHECK_INT(run.vm->trouble.line, 3);
	CHECK_TEXT(run.vm->trouble.excerpt, "    3 | local x = nil + 1\n      | ^");
	lua_case_close(&run);
}

static int
condemned_body(lua_State *L)
{
	vm_kill(vm_of(L));
	return lua_case_body(L);
}

/* What a watchdog does, at a known moment. */
static void
condemned(const char *source)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	run.source = slice_text(source);
	CHECK_INT(vm_protect(run.vm, condemned_body, &run, &run.fault), -1);
	CHECK_TEXT(run.fault.code, "time_limit");
	CHECK_TEXT(run.printed, "");
	CHECK(run.vm->spent);
	lua_case_close(&run);
}

TEST(nothing_runs_after_a_kill)
{
	condemned("print('ran')");
	condemned("pcall(print, 'ran') print('ran')");
	condemned("local ok = xpcall(error, print, 'raw') print(ok)");
	condemned("local co = coroutine.wrap(print) co('ran')");
	condemned("local x <close> = setmetatable({}, { __close = print })");
}

static int
give_module(lua_State *L)
{
	lua_pushfstring(L, "module %s", lua_tostring(L, 1));
	return 1;
}

TEST(require_is_the_hosts)
{
	struct lua_case run = { .name = SLICE("x.lua"), .source = SLICE("return require('pricing')") };
	struct vm_host host = { .require = give_module };
	CHECK_INT(vm_new(NULL, &host, NULL, &run.vm, &run.fault), 0);
	CHECK_INT(vm_protect(run.vm, lua_case_body, &run, &run.fault), 0);
	CHECK_TEXT(run.result, "module pricing");
	lua_case_close(&run);
}

TEST(error_values_that_are_no_text)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	CHECK_INT(lua_case_run(&run, "error({ code = 'broken', message = 'it is' })"), -1);
	CHECK_TEXT(run.vm->trouble.message, "error value is a table, code: broken, message: it is");
	CHECK_INT(run.vm->trouble.line, 1);
	CHECK_INT(lua_case_run(&run, "error(nil)"), -1);
	CHECK_TEXT(run.vm->trouble.message, "error value is a nil");
	CHECK_INT(lua_case_run(&run, "error(setmetatable({}, { __tostring = function() while true do end end }))"), -1);
	CHECK_TEXT(run.vm->trouble.message, "error value is a table");
	CHECK_INT(lua_case_run(&run, "local t = {} for i = 1, 100 do t[i] = i end error(t)"), -1);
	CHECK_TEXT(run.vm->trouble.message, "error value is a table");
	CHECK_INT(lua_case_run(&run, "error(1.5)"), -1);
	CHECK_TEXT(run.vm->trouble.message, "1.5");
	CHECK_INT(lua_case_run(&run, "error(42)"), -1);
	CHECK_TEXT(run.vm->trouble.message, "42");
	CHECK_INT(lua_case_run(&run, "error(true)"), -1);
	CHECK_TEXT(run.vm->trouble.message, "error value is true");
	CHECK_INT(lua_case_run(&run, "error('two\\nlines', 0)"), -1);
	CHECK_TEXT(run.vm->trouble.message, "two lines");
	lua_case_close(&run);
}

TEST(traceback_is_cut)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	CHECK_INT(
		lua_case_run(&run, "local function f(n) if n == 0 then error('deep') end return (f(n - 1)) end f(100)"),
		-1);
	int lines = 0;
	for (const char *c = run.vm->trouble.traceback; *c != '\0'; c++)
		lines += *c == '\n';
	CHECK_INT(lines, VM_FRAMES_MAX);
	lua_case_close(&run);
}

TEST(stack_overflow_is_an_error)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	CHECK_INT(lua_case_run(&run, "local function f() return 1 + f() end f()"), -1);
	CHECK_TEXT(run.fault.code, "script_error");
	CHECK(strstr(run.fault.text, "stack overflow") != NULL);
	CHECK_INT(lua_case_run(&run, "return 'still alive'"), 0);
	lua_case_close(&run);
}

TEST(heap_limit)
{
	struct lua_case run;
	struct vm_limits limits = { .heap_bytes = 1 << 20 };
	lua_case_open(&run, &limits);
	CHECK_INT(lua_case_run(&run, "local t = {}\nfor i = 1, 1e9 do\n  t[i] = { i }\nend"), -1);
	CHECK_INT(run.fault.class, FAULT_SCRIPT);
	CHECK_TEXT(run.fault.code, "memory_limit");
	CHECK_TEXT(run.fault.text,
		   "bank/account.lua:3: the script needs more memory than a state may have (limit 1024 KiB)");
	CHECK_INT(run.vm->trouble.line, 3);
	CHECK(strstr(run.vm->trouble.excerpt, "t[i] = { i }") != NULL);
	CHECK_TEXT(run.vm->trouble.traceback, "bank/account.lua:3\n");
	CHECK(run.vm->spent);
	CHECK(run.vm->alloc.peak_bytes <= limits.heap_bytes);
	CHECK_INT(lua_case_run(&run, "return 'still alive'"), 0);
	CHECK_TEXT(run.result, "still alive");
	lua_case_close(&run);
}

TEST(block_limit)
{
	struct lua_case run;
	struct vm_limits limits = { .block_bytes = 64 << 10 };
	lua_case_open(&run, &limits);
	CHECK_INT(lua_case_run(&run, "local s = 'x'\nfor i = 1, 30 do s = s .. s end"), -1);
	CHECK_TEXT(run.fault.code, "memory_limit");
	CHECK(strstr(run.fault.text, "bank/account.lua:2: the script made a single value") != NULL);
	lua_case_close(&run);
}

TEST(memory_is_placed_where_it_was_refused)
{
	struct lua_case run;
	struct vm_limits limits = { .heap_bytes = 1 << 20 };
	static const char in_coroutine[] = "local function fill()\n"
					   "  local t = {}\n"
					   "  for i = 1, 1e9 do t[i] = { i } end\n"
					   "end\n"
					   "coroutine.wrap(fill)()";
	static const char raised_again[] = "local ok, e = pcall(function()\n"
					   "  local t = {} for i = 1, 1e9 do t[i] = { i } end\n"
					   "end)\n"
					   "error(e, 0)";
	lua_case_open(&run, &limits);
	CHECK_INT(lua_case_run(&run, in_coroutine), -1);
	CHECK_TEXT(run.fault.code, "memory_limit");
	CHECK(strstr(run.fault.text, "bank/account.lua:3: ") == run.fault.text);
	CHECK_INT(lua_case_run(&run, raised_again), -1);
	CHECK_TEXT(run.fault.code, "memory_limit");
	CHECK(strstr(run.fault.text, "bank/account.lua:2: ") == run.fault.text);
	/* what was refused in a call before is not the place of a later one's */
	CHECK_INT(lua_case_run(&run, "\n\n\nerror('else')"), -1);
	CHECK_TEXT(run.fault.text, "bank/account.lua:4: else");
	lua_case_close(&run);
}

static int
fill_body(lua_State *L)
{
	lua_newtable(L);
	for (lua_Integer i = 1; i < 1000000; i++) {
		lua_pushinteger(L, i);
		lua_rawseti(L, -2, i);
	}
	return 0;
}

TEST(what_the_pool_refuses_is_told_with_its_limit)
{
	struct alloc_pool pool = { .cap_bytes = 2 << 20 };
	struct fault fault;
	struct vm *vm;
	CHECK_INT(vm_new(NULL, NULL, &pool, &vm, &fault), 0);
	CHECK_INT(vm_protect(vm, fill_body, NULL, &fault), -1);
	CHECK_TEXT(fault.code, "memory_limit");
	CHECK_TEXT(fault.text, "all scripts together need more memory than they may have (limit 2048 KiB)");
	vm_free(vm);
}

TEST(pool_limit_and_return)
{
	struct alloc_pool pool = { .cap_bytes = 1 << 20 };
	struct fault fault;
	struct vm *vms[64];
	int made = 0;
	while (made < 64 && vm_new(NULL, NULL, &pool, &vms[made], &fault) == 0)
		made++;
	CHECK(made >= 2 && made < 64);
	CHECK(fault.class == FAULT_SCRIPT || fault.class == FAULT_MEMORY);
	CHECK(atomic_load(&pool.used_bytes) <= pool.cap_bytes);
	while (made > 0)
		vm_free(vms[--made]);
	CHECK_INT(atomic_load(&pool.used_bytes), 0);
}

static int
raise_body(lua_State *L)
{
	vm_fail(L, FAULT_FULL, "disk_full", "no space for row %d", 7);
}

TEST(raised_fault_keeps_class_and_code)
{
	struct lua_case run;
	struct fault fault;
	lua_case_open(&run, NULL);
	CHECK_INT(vm_protect(run.vm, raise_body, NULL, &fault), -1);
	CHECK_INT(fault.class, FAULT_FULL);
	CHECK_TEXT(fault.code, "disk_full");
	CHECK_TEXT(fault.text, "no space for row 7");
	lua_case_close(&run);
	lua_case_raises("string.rep('x', 1e9)", "memory_limit", "bank/account.lua:1: string.rep");
	lua_case_raises("local ok, e = pcall(string.rep, 'x', 1e9)\nerror('other')", "script_error", ":2: other");
	lua_case_raises("local ok, e = pcall(string.rep, 'x', 1e9)\nerror(e)", "memory_limit", ":2: string.rep");
}

static int
nested_inner(lua_State *L)
{
	return luaL_error(L, "inner");
}

static int
nested_outer(lua_State *L)
{
	struct fault fault;
	CHECK_INT(vm_protect(vm_of(L), nested_inner, NULL, &fault), -1);
	CHECK_TEXT(fault.text, "inner");
	return luaL_error(L, "outer");
}

TEST(door_may_be_nested)
{
	struct lua_case run;
	struct fault fault;
	lua_case_open(&run, NULL);
	CHECK_INT(vm_protect(run.vm, nested_outer, NULL, &fault), -1);
	CHECK_TEXT(fault.text, "outer");
	lua_case_close(&run);
}

TEST(collector_steps_reach_an_end)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	CHECK_INT(lua_case_run(&run, "local t for i = 1, 1000 do t = { t } end"), 0);
	size_t before = vm_bytes(run.vm);
	int steps = 0;
	while (steps < 10000 && !vm_collect_step(run.vm))
		steps++;
	while (steps < 20000 && !vm_collect_step(run.vm))
		steps++;
	CHECK(steps < 20000);
	CHECK(vm_bytes(run.vm) < before);
	lua_case_close(&run);
}

/* Memory may end at any allocation, also while a state is made: never more than a fault, never a leak. */
TEST(memory_may_end_anywhere)
{
	static const char source[] =
		"local t = json.decode('{\"a\":[1,2,{\"b\":\"text with \\\\n escape\"}],\"c\":1.5}')\n"
		"for k, v in pairs(t) do t[k] = { v } end\n"
		"local rows = {} for i = 1, 40 do rows[i] = { n = i % 5 } end\n"
		"table.sort(rows, function(a, b) return a.n < b.n end)\n"
		"local s = ('some words here'):gsub('%w+', function(w) return w:upper():rep(3, '-') end)\n"
		"local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield({ i }) end end) co()\n"
		"local C = {} C.__index = C setmetatable(rows, C)\n"
		"return #json.encode({ t, rows[1], s }) > 0 and string.format('%s', {})\n";
	bool reached = false;
	for (size_t heap = 4 << 10; heap < 160 << 10; heap += 128) {
		struct vm_limits limits = { .heap_bytes = heap };
		struct lua_case run = { .name = SLICE("sweep.lua"), .source = slice_text(source) };
		if (vm_new(&limits, NULL, NULL, &run.vm, &run.fault) != 0) {
			CHECK(run.fault.class == FAULT_MEMORY || run.fault.class == FAULT_SCRIPT);
			continue;
		}
		if (vm_protect(run.vm, lua_case_body, &run, &run.fault) != 0)
			CHECK(strcmp(run.fault.code, "memory_limit") == 0 ||
			      strstr(run.fault.text, "stack overflow") != NULL); /* the stack could not grow */
		else
			reached = true;
		CHECK(run.vm->alloc.peak_bytes <= heap);
		vm_free(run.vm);
	}
	CHECK(reached);
}

TEST(no_host_at_all)
{
	struct vm *vm;
	struct fault fault;
	struct lua_case run = { .name = SLICE("x.lua"), .source = SLICE("print('unheard') error('seen')") };
	CHECK_INT(vm_new(NULL, NULL, NULL, &vm, &fault), 0);
	CHECK_INT(vm_protect(vm, lua_case_body, &run, NULL), -1);
	CHECK_TEXT(vm->trouble.message, "seen");
	CHECK_TEXT(vm->trouble.excerpt, "");
	vm_free(vm);
	vm_free(NULL);
}

TEST(print_goes_to_the_host)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	CHECK_INT(lua_case_run(&run, "print('a', 1, nil, {}, 2.5)"), 0);
	CHECK_TEXT(run.printed, "a\t1\tnil\ttable\t2.5\n");
	lua_case_close(&run);
}

TEST(allocator_keeps_bytes)
{
	struct alloc alloc;
	alloc_init(&alloc, 1 << 20, 1 << 18, NULL);
	unsigned char *blocks[64] = { NULL };
	size_t sizes[64] = { 0 };
	uint32_t seed = 1;
	for (int round = 0; round < 20000; round++) {
		seed = seed * 1664525 + 1013904223;
		size_t at = seed >> 26, size = (seed >> 8) % (seed % 3 == 0 ? 3000 : 600);
		unsigned char *block = alloc_lua(&alloc, blocks[at], sizes[at], size);
		CHECK((size == 0) == (block == NULL));
		for (size_t i = 0; i < size && i < sizes[at]; i++)
			CHECK_INT(block[i], at);
		if (size > 0)
			memset(block, (int)at, size);
		blocks[at] = block;
		sizes[at] = size;
	}
	for (size_t at = 0; at < 64; at++)
		alloc_lua(&alloc, blocks[at], sizes[at], 0);
	CHECK_INT(alloc.used_bytes, 0);
	alloc_fini(&alloc);
}

TEST_MAIN()
