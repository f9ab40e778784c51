/* SPDX-License-Identifier: MIT */
/*
 * Scripts made by a grammar from the input's bytes: loops, protected calls, coroutines, metatables, closing values,
 * patterns, sorts, texts that grow. None may crash, outlive its limit, or leave a state that is not spent unusable.
 */
#include <lauxlib.h>
#include <signal.h>

#include "base/clock.h"
#include "fuzz/mutate.h"
#include "script/lua/lua_room.h"
#include "script/lua/sandbox.h"
#include "script/lua/vm.h"

#define LIMIT_MS  30
#define TEXT_MAX  ((size_t)24 << 10)
#define DEPTH_MAX 6

#if defined(__SANITIZE_ADDRESS__)
#define SLACK 10
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLACK 10
#endif
#endif
#ifndef SLACK
#define SLACK 1
#endif

struct maker {
	const uint8_t *at, *end;
	char text[TEXT_MAX];
	size_t size;
	unsigned names; /* locals that are visible: v0 ... */
};

static unsigned
pick(struct maker *maker, unsigned count)
{
	return maker->at < maker->end ? *maker->at++ % count : 0;
}

static void
put(struct maker *maker, const char *text)
{
	size_t size = strlen(text);
	if (maker->size + size + 1 >= TEXT_MAX)
		return;
	memcpy(maker->text + maker->size, text, size + 1);
	maker->size += size;
}

static void block(struct maker *maker, unsigned depth);
static void expression(struct maker *maker, unsigned depth);

static void
name(struct maker *maker)
{
	char text[16];
	snprintf(text, sizeof text, "v%u", maker->names != 0 ? pick(maker, maker->names) : 0);
	put(maker, text);
}

/* "$": an expression, "@": a local, "#": a block, the rest as it is. */
static void
expand(struct maker *maker, const char *form, unsigned depth)
{
	char one[2] = { 0 };
	for (; *form != '\0'; form++) {
		if (*form == '$')
			expression(maker, depth + 1);
		else if (*form == '@')
			name(maker);
		else if (*form == '#')
			block(maker, depth + 1);
		else
			put(maker, (one[0] = *form, one));
	}
}

static const char *const leaves[] = { "nil",
				      "true",
				      "0",
				      "1",
				      "-1",
				      "7",
				      "1.5",
				      "1e308",
				      "math.maxinteger",
				      "math.mininteger",
				      "'a'",
				      "'aaaaaaaaaaaaaaaaaaaaaaaaab'",
				      "('a*'):rep(12)",
				      "'%s+$'",
				      "'(.-)%1'",
				      "'[^%w]'",
				      "{}",
				      "{ 3, 1, 2 }",
				      "{ a = 1, b = 2 }",
				      "{ [1.5] = 1, x = {} }",
				      "json.null",
				      "print",
				      "('x'):rep(1 << 16)",
				      "@",
				      "@",
				      "@",
				      "@" };
static const char *const forms[] = {
	"($ + $)",
	"($ .. $)",
	"($ == $)",
	"($ < $)",
	"(#$)",
	"($)[$]",
	"(not $)",
	"($ and $)",
	"($ or $)",
	"($ // $)",
	"($ << $)",
	"(-$)",
	"{ $, $, [$] = $ }",
	"(function(...) # end)",
	"(function(a, b) # return a end)",
	"pcall($, $)",
	"pcall(function() # end)",
	"xpcall(function() # end, function(e) # return e end)",
	"xpcall($, $, $)",
	"select($, $, $)",
	"tostring($)",
	"tonumber($, $)",
	"type($)",
	"next($, $)",
	"rawget($, $)",
	"rawlen($)",
	"rawset($, $, $)",
	"setmetatable($, $)",
	"setmetatable({}, { __index = $, __len = $, __lt = $, __concat = $, __call = $, __close = $ })",
	"setmetatable({}, { __tostring = $, __close = $ })",
	"setmetatable($, { __index = function(t, k) # return $ end })",
	"getmetatable($)",
	"coroutine.wrap(function(...) # end)",
	"coroutine.create(function() # coroutine.yield($) # end)",
	"coroutine.resume($, $)",
	"coroutine.wrap($)($)",
	"string.rep($, $, $)",
	"string.find($, $, $)",
	"string.gsub($, $, $)",
	"string.gsub($, $, function(c) # return $ end)",
	"string.match($, $)",
	"string.format($, $, $)",
	"string.pack($, $)",
	"string.unpack($, $)",
	"string.byte($, $, $)",
	"string.sub($, $, $)",
	"string.reverse($)",
	"utf8.char($)",
	"utf8.len($)",
	"utf8.codepoint($, $, $)",
	"utf8.offset($, $)",
	"table.concat($, $, $, $)",
	"table.unpack($, $, $)",
	"table.pack($, $)",
	"table.insert($, $, $)",
	"table.remove($, $)",
	"table.move($, $, $, $)",
	"table.sort($, $)",
	"table.sort($, function(a, b) # return $ end)",
	"json.encode($)",
	"json.decode($)",
	"json.array($)",
	"time.parse($)",
	"time.add($, { days = $ })",
	"money.format($, $)",
	"math.floor($)",
	"math.tointeger($)",
	"error($)",
	"assert($, $)",
	"ipairs($)",
	"pairs($)",
	"($)($, $)",
	"($):x($)",
	"($ ~= $)",
};

static void
expression(struct maker *maker, unsigned depth)
{
	if (depth >= DEPTH_MAX || pick(maker, 3) == 0)
		expand(maker, leaves[pick(maker, countof(leaves))], depth);
	else
		expand(maker, forms[pick(maker, countof(forms))], depth);
}

static void
statement(struct maker *maker, unsigned depth)
{
	static const char *const lines[] = {
		"@ = $ ",
		"@ = $ ",
		"@[$] = $ ",
		"pcall(function() # end) ",
		"while $ do # end ",
		"while true do # end ",
		"repeat # until $ ",
		"for i = $, $ do # end ",
		"for i = 1, 1000 do # end ",
		"for k, w in pairs($) do # end ",
		"for k, w in $ do # end ",
		"for m in string.gmatch($, $) do # end ",
		"if $ then # else # end ",
		"do local c <close> = $ # end ",
		"do local c <close> = setmetatable({}, { __close = function() # end }) # end ",
		"pcall(coroutine.wrap(function() # end)) ",
		"print($) ",
		"pcall(error, $) ",
		"(function() # end)() ",
		"while true do pcall(function() # end) end ",
		"goto out_of_here_is_none ",
		"pcall($, $) ",
	};
	unsigned form = pick(maker, countof(lines));
	if (form == 20)
		form = 0; /* a label that is not there would end it before it begins */
	if (depth >= DEPTH_MAX)
		form %= 2;
	expand(maker, lines[form], depth);
}

static void
block(struct maker *maker, unsigned depth)
{
	unsigned count = 1 + pick(maker, depth < 2 ? 5 : 2), before = maker->names;
	char text[32];
	if (depth < DEPTH_MAX && maker->names < 40 && pick(maker, 2) == 1) {
		snprintf(text, sizeof text, "local v%u = ", maker->names);
		put(maker, text);
		expression(maker, depth + 1);
		put(maker, " ");
		maker->names++;
	}
	for (unsigned i = 0; i < count && maker->at < maker->end; i++)
		statement(maker, depth);
	maker->names = before;
}

static int
run_body(lua_State *L)
{
	struct maker *maker = vm_request(L);
	if (sandbox_load(L, SLICE("fuzz.lua"), slice_from(maker->text, maker->size)) != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 0);
	return 0;
}

static int
well_body(lua_State *L)
{
	lua_pushliteral(L, "x");
	lua_pushinteger(L, lua_gc(L, LUA_GCCOUNT, 0));
	lua_concat(L, 2);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct maker maker;
	static struct vm *vm;
	static unsigned runs;
	struct fault fault;
	if (runs == 0)
		must(moon_watchdog_start(SIGRTMIN + 5, &fault) == 0);
	runs++;
	if (vm == NULL || vm->spent || runs % 1000 == 0) {
		const struct vm_limits limits = { .heap_bytes = (size_t)8 << 20, .pattern_steps = 100000 };
		vm_free(vm);
		must(vm_new(&limits, NULL, NULL, &vm, &fault) == 0);
	}
	maker = (struct maker){ .at = data, .end = data + size };
	put(&maker, "local v0, v1, v2 = {}, 'text', 3 ");
	maker.names = 3;
	while (maker.at < maker.end && maker.size < TEXT_MAX / 2)
		block(&maker, 0);
	int clock = clock_thread_self();
	int64_t before = clock_thread_ns(clock);
	vm_protect_within(vm, run_body, &maker, LIMIT_MS, &fault);
	int64_t took_ms = (clock_thread_ns(clock) - before) / 1000000;
	if (took_ms > SLACK * (2 * LIMIT_MS + 100)) {
		fprintf(stderr, "%lld ms: %s\n", (long long)took_ms, maker.text);
		abort();
	}
	if (!vm->spent)
		must(vm_protect(vm, well_body, NULL, &fault) == 0);
	return 0;
}

#ifndef MOONLOG_LIBFUZZER

int
main(int argc, char **argv)
{
	static uint8_t input[600];
	long seconds = argc > 1 ? atol(argv[1]) : 3;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 20261121, random = seed * 2862933555777941757U + 1;
	unsigned long runs = 0;
	int64_t end = clock_mono_ns(clock_real()) + seconds * 1000000000;
	for (; clock_mono_ns(clock_real()) < end; runs++) {
		size_t size = 1 + (size_t)(mutate_random(&random) % sizeof input);
		for (size_t i = 0; i < size; i++)
			input[i] = (uint8_t)(mutate_random(&random) >> 24);
		LLVMFuzzerTestOneInput(input, size);
	}
	printf("%lu scripts, seed %llu, nothing found\n", runs, (unsigned long long)seed);
	return 0;
}

#endif
