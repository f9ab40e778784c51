/* SPDX-License-Identifier: MIT */
/* What scripts reach and what they do not; a growing corpus of attempts to get out. */
#include "unit/lua/lua_case.h"

TEST(every_listed_name_is_there)
{
	size_t count;
	const struct sandbox_name *names = sandbox_names(&count);
	CHECK(count > 80);
	for (size_t i = 0; i < count; i++) {
		char source[200];
		const char *dot = names[i].library[0] != '\0' ? "." : "";
		snprintf(source, sizeof source, "return type(%s%s%s) %s 'function'", names[i].library, dot,
			 names[i].name, names[i].kind == SANDBOX_VALUE ? "~=" : "==");
		lua_case_gives(source, "true");
		CHECK(names[i].doc != NULL && names[i].doc[0] != '\0');
		CHECK((names[i].usage == NULL) == (names[i].kind == SANDBOX_VALUE));
	}
}

/* The row of a library in docs/INTERFACES.md: "| `json` | `array` `decode` ... |". */
static bool
is_documented(const char *page, const struct sandbox_name *name)
{
	char row[100], word[100];
	snprintf(row, sizeof row, name->library[0] != '\0' ? "\n| `%s` | `" : "\n| globals | `", name->library);
	snprintf(word, sizeof word, "`%s`", name->name);
	const char *begin = strstr(page, row);
	const char *place = begin != NULL ? strstr(begin + strlen(row) - 1, word) : NULL;
	return place != NULL && place < strchr(begin + 1, '\n');
}

TEST(every_listed_name_is_documented)
{
	static char page[1 << 17];
	FILE *file = fopen("docs/INTERFACES.md", "r");
	CHECK(file != NULL);
	size_t size = fread(page, 1, sizeof page - 1, file), count;
	fclose(file);
	CHECK(size > 0);
	const struct sandbox_name *names = sandbox_names(&count);
	for (size_t i = 0; i < count; i++)
		if (!is_documented(page, &names[i]))
			CHECK_FAIL("docs/INTERFACES.md lacks %s.%s", names[i].library, names[i].name);
}

TEST(nothing_else_is_there)
{
	static const char *const absent[] = { "io",       "os",     "debug",          "package", "load", "loadstring",
					      "loadfile", "dofile", "collectgarbage", "warn",    "_G" };
	for (size_t i = 0; i < countof(absent); i++) {
		char source[100];
		snprintf(source, sizeof source, "return %s", absent[i]);
		lua_case_raises(source, "script_error", "unknown global");
	}
	lua_case_gives("return tostring(string.dump) .. tostring(math.random) .. tostring(math.randomseed) .. "
		       "tostring(coroutine.close) .. tostring(coroutine.running)",
		       "nilnilnilnilnil");
	lua_case_gives("local n = 0 for k, v in pairs(_ENV) do n = n + 1 "
		       "if type(v) == 'table' then for _ in pairs(v) do n = n + 1 end end end return n > 80",
		       "true");
}

TEST(globals_are_strict)
{
	lua_case_raises("\ncuonter = 1", "script_error",
			"bank/account.lua:2: assignment to undeclared global 'cuonter'");
	lua_case_raises("\nreturn cuonter", "script_error", "bank/account.lua:2: unknown global 'cuonter'");
	lua_case_raises("function helper() end", "script_error", "assignment to undeclared global 'helper'");
	lua_case_raises("print = nil", "script_error", "undeclared global 'print'");
	lua_case_raises("string = {}", "script_error", "undeclared global 'string'");
	lua_case_gives("local _ENV = { x = 1 } y = 2 return x + y", "3");
}

struct attempt {
	const char *source;
	const char *refusal; /* part of the error; NULL: must give "true" */
};

static const struct attempt attempts[] = {
	/* change what others see */
	{ "string.upper = function() return 'mine' end", "read-only table" },
	{ "string.extra = 1", "read-only table" },
	{ "rawset(string, 'upper', print)", "read-only table" },
	{ "rawset(_ENV, 'print', 1)", "read-only table" },
	{ "table.insert(math, 1)", "read-only table" },
	{ "table.move({ 1 }, 1, 1, 1, string)", "read-only table" },
	{ "table.sort(setmetatable({ 2, 1 }, { __newindex = string })) return true", NULL },
	{ "json.array(string)", "read-only table" },
	{ "setmetatable(string, {})", "protected metatable" },
	{ "setmetatable(_ENV, {})", "protected metatable" },
	{ "setmetatable(json.array(), {})", "protected metatable" },
	{ "setmetatable({}, string)", "read-only table" },
	{ "return getmetatable('') == nil", NULL },
	{ "return getmetatable(string) == false and getmetatable(_ENV) == false", NULL },
	{ "getmetatable('').__index = nil", "index a nil value" },
	{ "('x').extra = 1", "index a string value" },
	{ "return ('x').dump == nil", NULL },
	{ "local s = string for k in pairs(s) do assert(k ~= 'dump') end return true", NULL },
	/* run other code */
	{ "return require == nil or not pcall(require, 'os')", NULL },
	{ "require '../../etc/passwd'", "there are no modules here" },
	{ "setmetatable({}, { __gc = function() end })", "'__gc'" },
	{ "setmetatable({}, { __mode = 'k' })", "'__mode'" },
	{ "local m = {} setmetatable({}, m) m.__gc = print return getmetatable(setmetatable({}, m)) == m", NULL },
	{ "local m = {} setmetatable({}, m) m.__mode = 'k' local t = setmetatable({}, m) t[{}] = 1 return true", NULL },
	{ "local m = { __metatable = 'locked' } local t = setmetatable({}, m) "
	  "return getmetatable(t) == 'locked' and not pcall(setmetatable, t, nil)",
	  NULL },
	/* see addresses, order or time */
	{ "return tostring({}) == 'table' and tostring(print) == 'function' and "
	  "tostring(coroutine.create(print)) == 'thread' and tostring(json.null) == 'null'",
	  NULL },
	{ "return string.format('%s %s', {}, print) == 'table function'", NULL },
	{ "string.format('%p', {})", "addresses" },
	{ "string.format('%-10p', {})", "addresses" },
	{ "return string.format('%s', setmetatable({}, { __tostring = function() return 'me' end })) == 'me'", NULL },
	{ "return not pcall(function() return 'a' .. {} end)", NULL },
	{ "for k in pairs({ [{}] = 1 }) do end", "has no order" },
	{ "next({ [print] = 1 })", "has no order" },
	/* keep C busy: every one of these would run for years in the packaged library */
	{ "table.move({}, 1, 1e15, 2)", "too many elements" },
	{ "table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 1)", "elements" },
	{ "table.remove(setmetatable({}, { __len = function() return 1 << 60 end }), 1)", "elements" },
	{ "table.sort(setmetatable({}, { __len = function() return 1 << 30 end }))", "elements" },
	{ "return string.rep('', 1e18) == ''", NULL },
	{ "string.rep('x', -1 >> 1)", "longer than" },
	{ "string.rep('x', 1 << 40, 'yy')", "longer than" },
	{ "string.find(string.rep('a', 300), '.-.-.-b')", "steps" },
	{ "string.match(string.rep('a', 24), string.rep('a*', 12) .. 'b')", "steps" },
	{ "string.gsub(string.rep(' ', 20000), '%s+$x', '')", "steps" },
	{ "for _ in string.gmatch(string.rep(' ', 20000), '%s+x') do end", "steps" },
	{ "string.find(string.rep('a', 2000000), 'a-b')", "at most" },
	{ "return string.find(string.rep('a', 1000000) .. 'b', string.rep('a', 500) .. 'b', 1, true) ~= nil", NULL },
	{ "string.pack('c99999999', 'x')", "single value" },
	{ "string.find('x', string.rep('(', 40))", "too many captures" },
	{ "('x'):find(string.rep('(', 20) .. 'x')", "unfinished capture" },
	{ "string.find(string.rep('x', 500), string.rep('x?', 300))", "too complex" },
	/* errors inside errors */
	{ "error(setmetatable({}, { __tostring = function() error('x') end }))", "error value is a table" },
	{ "local function f() error('again') end return xpcall(f, f) == false", NULL },
	{ "local co co = coroutine.wrap(function() return co() end) co()", "non-suspended" },
	{ "local function f() return coroutine.wrap(f)() end f()", "bank/account.lua:1" },
	{ "return select('#', table.unpack({}, 1, 1e8))", "too many results" },
	{ "tostring(setmetatable({}, { __tostring = function() return {} end }))", "must return a string" },
	{ "local t = {} for i = 1, 100 do t = { t } end json.encode(t)", "nested deeper" },
	{ "local t = {} t.t = t json.encode(t)", "holds itself" },
	{ "json.decode(string.rep('[', 1000))", "nested too deeply" },
	{ "json.encode({ [1] = 1, a = 2 })", "no array" },
	{ "json.encode(print)", "a function has no JSON form" },
	/* bytecode */
	{ "return pcall(string.format, '%q', print) == false", NULL },
};

TEST(escape_attempts)
{
	for (size_t i = 0; i < countof(attempts); i++) {
		const struct attempt *attempt = &attempts[i];
		struct lua_case run;
		lua_case_open(&run, NULL);
		int result = lua_case_run(&run, attempt->source);
		if (attempt->refusal == NULL && result != 0)
			CHECK_FAIL("%s\nraised: %s", attempt->source, run.fault.text);
		if (attempt->refusal == NULL && strcmp(run.result, "true") != 0)
			CHECK_FAIL("%s\ngave: %s", attempt->source, run.result);
		if (attempt->refusal != NULL && result == 0)
			CHECK_FAIL("%s\ngot through: %s", attempt->source, run.result);
		if (attempt->refusal != NULL && strstr(run.fault.text, attempt->refusal) == NULL)
			CHECK_FAIL("%s\nraised: %s\nwithout: %s", attempt->source, run.fault.text, attempt->refusal);
		CHECK_INT(lua_case_run(&run, "return ('abc'):upper() .. #string.rep('x', 3)"), 0);
		CHECK_TEXT(run.result, "ABC3");
		lua_case_close(&run);
	}
}

static int
bytecode_body(lua_State *L)
{
	struct slice binary = SLICE("\x1bLua\x54\x00\x19\x93\r\n\x1a\n");
	int status = sandbox_load(L, SLICE("x.lua"), binary);
	CHECK_INT(status, LUA_ERRSYNTAX);
	CHECK(strstr(lua_tostring(L, -1), "binary chunk") != NULL);
	return 0;
}

TEST(bytecode_is_refused)
{
	struct lua_case run;
	struct fault fault;
	lua_case_open(&run, NULL);
	CHECK_INT(vm_protect(run.vm, bytecode_body, NULL, &fault), 0);
	lua_case_close(&run);
}

static int
frozen_body(lua_State *L)
{
	struct lua_case *run = vm_request(L);
	lua_newtable(L);
	lua_newtable(L);
	lua_pushinteger(L, 5);
	lua_setfield(L, -2, "inner");
	lua_setfield(L, -2, "list");
	lua_pushliteral(L, "EUR");
	lua_setfield(L, -2, "currency");
	sandbox_freeze_deep(L);
	CHECK_INT(sandbox_load(L, run->name, run->source), LUA_OK);
	lua_insert(L, -2);
	lua_call(L, 1, 1);
	snprintf(run->result, sizeof run->result, "%s", lua_tostring(L, -1));
	return 0;
}

static const char *
with_frozen(const char *source, char *text, size_t size)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	run.source = slice_text(source);
	if (vm_protect(run.vm, frozen_body, &run, &run.fault) != 0)
		snprintf(text, size, "raised %s", run.fault.text);
	else
		snprintf(text, size, "%s", run.result);
	lua_case_close(&run);
	return text;
}

TEST(host_tables_are_frozen_all_the_way)
{
	char text[1100];
	CHECK_TEXT(with_frozen("local s = ... return s.currency .. s.list.inner", text, sizeof text), "EUR5");
	CHECK_TEXT(with_frozen("local s = ... s.currency = 'X'", text, sizeof text),
		   "raised bank/account.lua:1: attempt to change 'currency' of a read-only table");
	CHECK_TEXT(with_frozen("local s = ... s.list.inner = 6", text, sizeof text),
		   "raised bank/account.lua:1: attempt to change 'inner' of a read-only table");
	CHECK_TEXT(
		with_frozen("local s, n = ..., '' for k, v in pairs(s) do n = n .. k end return n", text, sizeof text),
		"currencylist");
	CHECK_TEXT(with_frozen("return json.encode((...))", text, sizeof text),
		   "{\"currency\":\"EUR\",\"list\":{\"inner\":5}}");
	CHECK_TEXT(with_frozen("return next((...))", text, sizeof text), "currency");
}

/* [I7] Two states have two hash seeds and other addresses. */
TEST(two_states_agree)
{
	static const char source[] = "local keys = {} for i = 1, 200 do keys['k' .. i * 7919 % 1000] = i end\n"
				     "local out = {} for k, v in pairs(keys) do out[#out + 1] = k .. v end\n"
				     "local rows = {} for i = 1, 500 do rows[i] = { a = i % 7, b = i } end\n"
				     "table.sort(rows, function(x, y) return x.a < y.a end)\n"
				     "for _, r in ipairs(rows) do out[#out + 1] = r.a .. ':' .. r.b end\n"
				     "return json.encode({ table.concat(out, ','), keys }):sub(-900)";
	struct lua_case one, two;
	lua_case_open(&one, NULL);
	lua_case_open(&two, NULL);
	CHECK_INT(lua_case_run(&one, source), 0);
	CHECK_INT(lua_case_run(&two, source), 0);
	CHECK_TEXT(one.result, two.result);
	lua_case_close(&one);
	lua_case_close(&two);
}

TEST_MAIN()
