/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's pattern functions against the packaged library's: the same call in both must give the same values or
 * the same error. Input: one byte that picks the call, then subject, pattern and replacement, a NUL between. Calls that
 * use up our steps are not given to the library, which might never return.
 */
#include <lauxlib.h>
#include <lualib.h>

#include "fuzz/mutate.h"
#include "script/lua/sandbox.h"
#include "script/lua/vm.h"

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "pattern_fuzz: not so: %s (line %d)\n", #condition, __LINE__);                 \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Gives one text for whatever the call gave. */
static const char driver[] =
	"local pick, s, p, r = ...\n"
	"local function show(...)\n"
	"  local out = {}\n"
	"  for i = 1, select('#', ...) do out[i] = tostring((select(i, ...))) end\n"
	"  return table.concat(out, '|')\n"
	"end\n"
	"local function each(...)\n"
	"  local out, n = {}, 0\n"
	"  for a, b, c in string.gmatch(...) do n = n + 1 out[n] = show(a, b, c) if n == 50 then break end end\n"
	"  return table.concat(out, ';')\n"
	"end\n"
	"local calls = {\n"
	"  function() return string.find(s, p) end,\n"
	"  function() return string.match(s, p) end,\n"
	"  function() return each(s, p) end,\n"
	"  function() return string.gsub(s, p, r) end,\n"
	"  function() return string.gsub(s, p, function(...) return select('#', ...) % 2 == 1 and show(...) end) end,\n"
	"  function() return string.find(s, p, -3) end,\n"
	"  function() return string.match(s, p, 3) end,\n"
	"  function() return each(s, p, #r - 4) end,\n"
	"  function() return string.gsub(s, p, { [s:sub(1, 1)] = r, [''] = false }, 3) end,\n"
	"  function() return string.find(s, p, #r, true) end,\n"
	"}\n"
	"local ok, text = pcall(function() return show(calls[pick % #calls + 1]()) end)\n"
	"return (ok and 'gave ' or 'raised ') .. tostring(text)\n";

struct trial {
	uint8_t pick;
	struct slice subject;
	struct slice pattern;
	struct slice replacement;
	char answer[1 << 16];
	size_t answer_size;
};

static void
call_driver(lua_State *L, struct trial *trial)
{
	lua_pushinteger(L, trial->pick);
	lua_pushlstring(L, trial->subject.data, trial->subject.size);
	lua_pushlstring(L, trial->pattern.data, trial->pattern.size);
	lua_pushlstring(L, trial->replacement.data, trial->replacement.size);
	lua_call(L, 4, 1);
	size_t size;
	const char *text = lua_tolstring(L, -1, &size);
	trial->answer_size = size < sizeof trial->answer ? size : sizeof trial->answer;
	memcpy(trial->answer, text, trial->answer_size);
}

static int
ours_body(lua_State *L)
{
	struct trial *trial = vm_request(L);
	REQUIRE(sandbox_load(L, SLICE("driver"), slice_text(driver)) == LUA_OK);
	call_driver(L, trial);
	return 0;
}

static int
theirs_body(lua_State *L)
{
	struct trial *trial = lua_touserdata(L, 1);
	REQUIRE(luaL_loadbuffer(L, driver, sizeof driver - 1, "@driver") == LUA_OK);
	call_driver(L, trial);
	return 0;
}

static struct slice
take_part(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *nul = memchr(*at, 0, (size_t)(end - *at)), *stop = nul != NULL ? nul : end;
	struct slice part = slice_from(*at, (size_t)(stop - *at));
	*at = nul != NULL ? nul + 1 : end;
	return part;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm *vm;
	static lua_State *stock;
	static struct trial ours, theirs;
	struct fault fault;
	if (vm == NULL) {
		struct vm_limits limits = { .pattern_steps = 5000 };
		REQUIRE(vm_new(&limits, NULL, NULL, &vm, &fault) == 0);
		stock = luaL_newstate();
		luaL_openlibs(stock);
	}
	if (size < 1)
		return 0;
	const uint8_t *at = data + 1, *end = data + size;
	ours.pick = data[0];
	ours.subject = take_part(&at, end);
	ours.pattern = take_part(&at, end);
	ours.replacement = slice_from(at, (size_t)(end - at));
	theirs = ours;
	REQUIRE(vm_protect(vm, ours_body, &ours, &fault) == 0);
	if (memmem(ours.answer, ours.answer_size, "steps here", 10) != NULL)
		return 0;
	lua_pushcfunction(stock, theirs_body);
	lua_pushlightuserdata(stock, &theirs);
	REQUIRE(lua_pcall(stock, 1, 0, 0) == LUA_OK);
	if (ours.answer_size != theirs.answer_size || memcmp(ours.answer, theirs.answer, ours.answer_size) != 0) {
		fprintf(stderr, "call %u subject <%.*s> pattern <%.*s> with <%.*s>\nours   %.*s\ntheirs %.*s\n",
			ours.pick % 10, SLICE_ARG(ours.subject), SLICE_ARG(ours.pattern), SLICE_ARG(ours.replacement),
			(int)ours.answer_size, ours.answer, (int)theirs.answer_size, theirs.answer);
		abort();
	}
	return 0;
}

#ifndef MOONLOG_LIBFUZZER

int
main(int argc, char **argv)
{
	static const struct mutate_seed seeds[] = {
		SEED("\0hello world from Lua\0(%w+) (%w+)\0%2 %1"),
		SEED("\3  trim me \0^%s*(.-)%s*$\0<%1>"),
		SEED("\2key=value; other=thing\0(%w+)=(%w+)\0%0"),
		SEED("\1f(a(b)c)d\0%b()\0x"),
		SEED("\4THE (quick) fox\0%f[%a]%a+%f[%A]\0%%"),
		SEED("\5abcabc\0(a)(b)%1?%2-[^%d]$\0%9"),
		SEED("\6[test] ]-^\0[]%-^]+[a-z]*\0()"),
		SEED("\7x1y22z333\0()%d+()\0%1%2"),
		SEED("\10aaa\0a-\0-"),
		SEED("\3aaab\0a*b?(a?)[%w_]+.$\0%0%0"),
		SEED("\11plain.text\0.\0"),
		SEED("\3\xc3\xa9\x80\xff \t\v\r\n\0[%c%p%x%u%l%g%z]\0%0"),
	};
	return mutate_main(argc, argv, seeds, sizeof seeds / sizeof seeds[0], "%()[]^$.*+-?bfwadszxpcguL%1230a ]",
			   LLVMFuzzerTestOneInput);
}

#endif
