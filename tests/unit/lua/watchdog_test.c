/* SPDX-License-Identifier: MIT */
/* Calls that run too long: stopped whatever they catch, by the watchdog's signal and by the count hook without it. */
#include <pthread.h>
#include <signal.h>

#include "base/clock.h"
#include "script/lua/lua_room.h"
#include "script/lua/watchdog.h"
#include "unit/lua/lua_case.h"

#define LIMIT_MS 40
#define SIGNAL   (SIGRTMIN + 5)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLACK 10
#else
#define SLACK 1
#endif

static int64_t
thread_ms(void)
{
	return clock_thread_ns(clock_thread_self()) / 1000000;
}

static int
run_within(struct lua_case *run, const char *source, uint32_t limit_ms)
{
	run->source = slice_text(source);
	run->printed[0] = run->result[0] = '\0';
	fault_clear(&run->fault);
	int result = vm_protect_within(run->vm, lua_case_body, run, limit_ms, &run->fault);
	CHECK_INT(lua_gettop(run->vm->L), 0);
	return result;
}

static const struct {
	const char *source;
	int line;
} loops[] = {
	{ "while true do end", 1 },
	{ "local n = 0\nwhile true do n = n + 1 end", 2 },
	{ "while true do pcall(function() while true do end end) end", 1 },
	{ "local function f()\nwhile true do pcall(f) end end f()", 2 },
	{ "xpcall(function() while true do end end, function()\nwhile true do end end)", 1 },
	{ "xpcall(error, function()\nwhile true do end end)", 2 },
	{ "while true do xpcall(function() while true do end end, function() return 1 end) end", 1 },
	{ "local co = coroutine.wrap(function()\nwhile true do end end) co()", 2 },
	{ "while true do local co = coroutine.create(function()\nwhile true do end end) coroutine.resume(co) end", 2 },
	{ "local cos = {} for i = 1, 50 do cos[i] = coroutine.create(function() while true do coroutine.yield() end "
	  "end) end\n"
	  "while true do for i = 1, 50 do coroutine.resume(cos[i]) end end",
	  0 },
	{ "local function nest(n) if n == 0 then while true do end end\n"
	  "local co = coroutine.wrap(nest) while true do pcall(co, n - 1) end end nest(20)",
	  1 },
	{ "local t = setmetatable({}, { __close = function() while true do end end })\n"
	  "while true do pcall(function() local x <close> = t\nwhile true do end end) end",
	  3 },
	{ "local t = setmetatable({}, { __index = function(t, k)\nreturn t[k] end }) while true do pcall(function() "
	  "return t.x end) end",
	  0 },
	{ "while true do pcall(table.sort, { 3, 1, 2, 5, 4 }, function()\nwhile true do end end) end", 2 },
	{ "while true do string.gsub('abc', '.', function() pcall(string.rep, 'x', 10) end) end", 0 },
	{ "local t = {} for i = 1, 400000 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end",
	  0 },
	{ "local s = string.rep('x', 4 << 20) local t = {} for i = 1, 3000 do t[i] = s end table.sort(t)", 0 },
	{ "local t = {} for i = 1, 100000 do t['k' .. i] = i end while true do for k in pairs(t) do end end", 0 },
	{ "local t = {} for i = 1, 100000 do t[i % 7 + i * 1.5] = i end local k while true do k = next(t, k) end", 0 },
	{ "local t = setmetatable({}, { __len = function() return 1 << 23 end }) while true do table.insert(t, 1, 1) "
	  "end",
	  0 },
	{ "table.move({}, 1, 1 << 23, 2) while true do table.move({}, 1, 1 << 23, 2) end", 0 },
	{ "while true do string.rep('x', 10 << 20):upper():reverse():lower() end", 0 },
	{ "while true do pcall(error, setmetatable({}, { __tostring = function() while true do end end })) end", 1 },
	{ "local function f(...) return f(...) end f(1, 2, 3)", 1 },
	{ "goto again ::again:: goto again", 1 },
	{ "for i = 1, math.huge do end", 1 },
	{ "while true do pcall(function() local x <close> = setmetatable({}, { __close = function() error('again') end "
	  "}) end) end",
	  0 },
};

static void
each_loop_ends(int slack)
{
	for (size_t i = 0; i < countof(loops); i++) {
		struct lua_case run;
		lua_case_open(&run, NULL);
		int64_t before = thread_ms();
		int result = run_within(&run, loops[i].source, LIMIT_MS);
		int64_t took = thread_ms() - before;
		if (result == 0)
			CHECK_FAIL("%s\ngave %s", loops[i].source, run.result);
		if (strcmp(run.fault.code, "time_limit") != 0)
			CHECK_FAIL("%s\nfailed with %s: %s", loops[i].source, run.fault.code, run.fault.text);
		if (took > slack * (2 * LIMIT_MS + 100))
			CHECK_FAIL("%s\ntook %lld ms", loops[i].source, (long long)took);
		if (loops[i].line != 0 && run.vm->trouble.line != loops[i].line)
			CHECK_FAIL("%s\nstopped at line %d, not %d", loops[i].source, run.vm->trouble.line,
				   loops[i].line);
		CHECK(run.vm->spent);
		CHECK(!atomic_load(&run.vm->killed));
		CHECK_INT(lua_case_run(&run, "local n = 0 for i = 1, 100000 do n = n + i end return 'still alive'"), 0);
		CHECK_TEXT(run.result, "still alive");
		lua_case_close(&run);
	}
}

TEST(no_loop_outlives_its_limit)
{
	struct fault fault;
	CHECK_INT(moon_watchdog_start(SIGNAL, &fault), 0);
	each_loop_ends(SLACK);
	moon_watchdog_stop();
}

TEST(nor_without_a_watchdog)
{
	CHECK(!watchdog_runs());
	each_loop_ends(10 * SLACK); /* a hundred instructions may be a hundred calls of string.upper */
}

TEST(the_text_names_limit_and_place)
{
	struct lua_case run;
	struct fault fault;
	CHECK_INT(moon_watchdog_start(SIGNAL, &fault), 0);
	lua_case_open(&run, NULL);
	CHECK_INT(run_within(&run, "local function spin(n)\n\twhile n do n = n + 1 end\nend\nspin(1)\n", LIMIT_MS), -1);
	CHECK_INT(run.fault.class, FAULT_SCRIPT);
	CHECK_TEXT(run.fault.text, "bank/account.lua:2: the call was stopped at its limit of 40 ms");
	CHECK_TEXT(run.vm->trouble.excerpt, "    2 | \twhile n do n = n + 1 end\n      | \t^");
	CHECK_TEXT(run.vm->trouble.traceback, "bank/account.lua:2\nbank/account.lua:4\n");
	lua_case_close(&run);
	moon_watchdog_stop();
}

/* A call that got no processor for so long that its limit by the clock was over is no short one. */
static void
short_call(struct lua_case *run)
{
	int64_t began = clock_mono_ns(clock_real());

	if (run_within(run, "local n = 0 for i = 1, 1000 do n = n + i end return n", LIMIT_MS) == 0) {
		CHECK(!run->vm->spent);
		return;
	}
	CHECK(clock_mono_ns(clock_real()) - began >= (int64_t)WATCHDOG_PATIENCE * LIMIT_MS * 1000000);
	lua_case_close(run);
	lua_case_open(run, NULL);
}

TEST(short_calls_are_left_alone)
{
	struct lua_case run;
	struct fault fault;
	CHECK_INT(moon_watchdog_start(SIGNAL, &fault), 0);
	lua_case_open(&run, NULL);
	/* Longer than the limit in all, and through the watchdog's sleep. */
	for (int64_t end = clock_mono_ns(clock_real()) + 400000000; clock_mono_ns(clock_real()) < end;)
		short_call(&run);
	lua_case_close(&run);
	moon_watchdog_stop();
}

struct nested {
	struct lua_case inner;
	struct lua_case *outer;
	struct fault fault;
	bool same;
};

static int
nested_body(lua_State *L)
{
	struct nested *nested = vm_request(L);
	struct lua_case *run = nested->same ? nested->outer : &nested->inner;
	run->source = SLICE("while true do end");
	CHECK_INT(vm_protect_within(run->vm, lua_case_body, run, LIMIT_MS, &nested->fault), -1);
	if (nested->same)
		vm_protect(run->vm, lua_case_body, run, &nested->fault); /* at once: the whole call is over */
	return 0;
}

TEST(a_nested_call_ends_with_its_outer_one)
{
	struct lua_case run;
	struct fault fault;
	struct nested nested = { .outer = &run, .same = true };
	CHECK_INT(moon_watchdog_start(SIGNAL, &fault), 0);
	lua_case_open(&run, NULL);
	CHECK_INT(vm_protect_within(run.vm, nested_body, &nested, LIMIT_MS, &fault), -1);
	CHECK_TEXT(fault.code, "time_limit");
	CHECK_TEXT(nested.fault.code, "time_limit");
	lua_case_close(&run);
	moon_watchdog_stop();
}

TEST(another_state_inside_has_a_limit_of_its_own)
{
	struct lua_case run;
	struct fault fault;
	struct nested nested = { .outer = &run };
	CHECK_INT(moon_watchdog_start(SIGNAL, &fault), 0);
	lua_case_open(&run, NULL);
	lua_case_open(&nested.inner, NULL);
	CHECK_INT(vm_protect_within(run.vm, nested_body, &nested, 60000, &fault), 0);
	CHECK_TEXT(nested.fault.code, "time_limit");
	CHECK(!run.vm->spent);
	lua_case_close(&nested.inner);
	lua_case_close(&run);
	moon_watchdog_stop();
}

struct spinner {
	pthread_t thread;
	const char *source;
	uint32_t limit_ms;
	unsigned rounds;
	const char *code;
};

static void *
spin(void *self)
{
	struct spinner *spinner = self;
	for (unsigned i = 0; i < spinner->rounds; i++) {
		struct lua_case run;
		lua_case_open(&run, NULL);
		int result = run_within(&run, spinner->source, spinner->limit_ms);
		if (strcmp(run.fault.code, spinner->code) != 0)
			CHECK_FAIL("%s\nended with %d %s", spinner->source, result, run.fault.text);
		lua_case_close(&run);
	}
	return NULL;
}

/* Allocating loops: a thread sanitizer hands signals out at calls of the C library only. */
TEST(threads_are_stopped_each_at_its_own_limit)
{
	struct spinner spinners[] = {
		{ .source = "while true do local t = {} for i = 1, 2000 do t[i] = { i } end end",
		  .limit_ms = 20,
		  .rounds = 8,
		  .code = "time_limit" },
		{ .source = "while true do pcall(function() local s = '' while true do s = s .. 'x' if #s > 9999 then "
			    "s = '' end end end) end",
		  .limit_ms = 60,
		  .rounds = 3,
		  .code = "time_limit" },
		{ .source = "local n = 0 for i = 1, 20000 do n = n + #tostring(i) end",
		  .limit_ms = 60000,
		  .rounds = 20,
		  .code = "" },
	};
	struct fault fault;
	sigset_t mask;
	CHECK_INT(moon_watchdog_start(SIGNAL, &fault), 0);
	for (size_t i = 0; i < countof(spinners); i++)
		CHECK_INT(pthread_create(&spinners[i].thread, NULL, spin, &spinners[i]), 0);
	for (size_t i = 0; i < countof(spinners); i++)
		pthread_join(spinners[i].thread, NULL);
	moon_watchdog_stop();
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	CHECK(sigismember(&mask, SIGNAL) == 1 || sigismember(&mask, SIGNAL) == 0);
}

static void *
look_at_mask(void *self)
{
	sigset_t mask;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	*(bool *)self = sigismember(&mask, SIGNAL) == 1;
	return NULL;
}

static void *
start_alone(void *self)
{
	struct fault fault;
	pthread_t other;
	bool *blocked = self;
	CHECK_INT(moon_watchdog_start(SIGNAL, &fault), 0);
	CHECK_INT(pthread_create(&other, NULL, look_at_mask, blocked), 0);
	pthread_join(other, NULL);
	moon_watchdog_stop();
	return NULL;
}

TEST(threads_that_run_no_rules_never_see_the_signal)
{
	pthread_t thread;
	bool blocked = false;
	CHECK_INT(pthread_create(&thread, NULL, start_alone, &blocked), 0);
	pthread_join(thread, NULL);
	CHECK(blocked);
}

static void
foreign(int number)
{
	(void)number;
}

TEST(a_signal_in_use_is_refused)
{
	struct sigaction action = { .sa_handler = foreign }, before;
	struct fault fault;
	sigaction(SIGNAL, &action, &before);
	CHECK_INT(moon_watchdog_start(SIGNAL, &fault), -1);
	CHECK_TEXT(fault.code, "signal_taken");
	sigaction(SIGNAL, &before, NULL);
	CHECK_INT(moon_watchdog_start(12345, &fault), -1);
	CHECK_TEXT(fault.code, "bad_signal");
	CHECK_INT(moon_watchdog_start(SIGNAL, &fault), 0);
	CHECK_INT(moon_watchdog_start(SIGNAL, &fault), 0);
	CHECK_INT(moon_watchdog_start(SIGNAL + 1, &fault), -1);
	moon_watchdog_stop();
	CHECK(watchdog_runs());
	moon_watchdog_stop();
	CHECK(!watchdog_runs());
	sigaction(SIGNAL, NULL, &action);
	CHECK(action.sa_handler == SIG_DFL); /* given back */
}

TEST_MAIN()
