/* SPDX-License-Identifier: MIT */
/* Patterns as the manual has them (6.4.1); tests/fuzz compares many more with the packaged library. */
#include "script/lua/pattern.h"
#include "unit/lua/lua_case.h"

struct sample {
	const char *expression;
	const char *wanted;
};

TEST(samples)
{
	static const struct sample samples[] = {
		{ "('hello'):find('l')", "3 3" },
		{ "('hello'):find('xyz')", "nil" },
		{ "('hello'):find('')", "1 0" },
		{ "('hello'):find('', 6)", "6 5" },
		{ "('hello'):find('', 7)", "nil" },
		{ "('hello'):find('l', -2)", "4 4" },
		{ "('a.b'):find('.', 1, true)", "2 2" },
		{ "('a+b'):find('+', 1, true)", "2 2" },
		{ "('hello'):match('^(h)(.-)(o)$')", "h ell o" },
		{ "('  trim  '):match('^%s*(.-)%s*$')", "trim" },
		{ "('key = value'):match('(%w+)%s*=%s*(%w+)')", "key value" },
		{ "('2024-05-06'):match('(%d+)-(%d+)-(%d+)')", "2024 05 06" },
		{ "('abc'):match('()b()')", "2 3" },
		{ "('THE (quick) fox'):find('%((%a+)%)')", "5 11 quick" },
		{ "('f(a(b)c)d'):match('%b()')", "(a(b)c)" },
		{ "('THE (quick) fox'):gsub('%f[%a]%a+', '<%0>')", "<THE> (<quick>) <fox> 3" },
		{ "('hello world'):gsub('o', '0')", "hell0 w0rld 2" },
		{ "('hello world'):gsub('o', '0', 1)", "hell0 world 1" },
		{ "('hello'):gsub('', '-')", "-h-e-l-l-o- 6" },
		{ "('abc'):gsub('%w', '%0%0')", "aabbcc 3" },
		{ "('hello world'):gsub('(%w+) (%w+)', '%2 %1')", "world hello 1" },
		{ "('$name is $age'):gsub('%$(%w+)', { name = 'Ann', age = 7 })", "Ann is 7 2" },
		{ "('4 + 4'):gsub('%d', function(d) return d * 2 end)", "8 + 8 2" },
		{ "('abc'):gsub('b', function() return nil end)", "abc 1" },
		{ "('abc'):gsub('^a', 'x')", "xbc 1" },
		{ "('aaa'):gsub('^a', 'x')", "xaa 1" },
		{ "('[x]'):match('[]]')", "]" },
		{ "('a-z'):match('[a%-z]+')", "a-z" },
		{ "('abc123'):match('[^%d]+')", "abc" },
		{ "('x^y'):match('[y^]+')", "^y" },
		{ "('aXb'):match('%u')", "X" },
		{ "('abab'):match('(ab)%1')", "ab" },
		{ "('\"quoted\"'):match('([\"\\'])(.-)%1')", "\" quoted" },
		{ "('a$'):match('a$$')", "a$" },
		{ "('äöü'):match('[\\xc3][\\xa4]')", "ä" },
		{ "('a\\0b'):find('\\0')", "2 2" },
		{ "('a\\0b'):match('%z')", "\\0" },
		{ "('0x1F'):match('^0x(%x+)$')", "1F" },
		{ "('a,b,,c'):gsub(',,', ',nil,')", "a,b,nil,c 1" },
		{ "('hello'):match('.-(l+)(.*)$')", "ll o" },
	};
	for (size_t i = 0; i < countof(samples); i++) {
		char source[500];
		snprintf(source, sizeof source,
			 "local t = table.pack(%s) for i = 1, t.n do t[i] = tostring(t[i]) end "
			 "return (table.concat(t, ' '):gsub('%%z', '\\\\0'))",
			 samples[i].expression);
		lua_case_gives(source, samples[i].wanted);
	}
}

TEST(gmatch_walks)
{
	lua_case_gives("local out = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do out[#out + 1] = v .. k end "
		       "return table.concat(out, ' ')",
		       "1a 2b");
	lua_case_gives("local out = {} for w in ('one two'):gmatch('%a*') do out[#out + 1] = '<' .. w .. '>' end "
		       "return table.concat(out)",
		       "<one><two>");
	lua_case_gives("local out = {} for w in ('one two'):gmatch('%a+', -3) do out[#out + 1] = w end return "
		       "table.concat(out)",
		       "two");
}

TEST(malformed)
{
	static const struct sample samples[] = {
		{ "('x'):find('%')", "malformed pattern (ends with '%')" },
		{ "('x'):find('[a')", "malformed pattern (missing ']')" },
		{ "('x'):find('[]')", "malformed pattern (missing ']')" },
		{ "('x'):find('[^]')", "malformed pattern (missing ']')" },
		{ "('x'):find('%b(')", "missing arguments to '%b'" },
		{ "('x'):find('%fa')", "missing '[' after '%f'" },
		{ "('x'):find('(x')", "unfinished capture" },
		{ "('x'):match('x)')", "invalid pattern capture" },
		{ "('x'):find('%1')", "invalid capture index %1" },
		{ "('x'):gsub('x', '%2')", "invalid capture index %2" },
		{ "('x'):gsub('x', '%q')", "invalid use of '%' in replacement" },
		{ "('x'):gsub('x', function() return {} end)", "invalid replacement value (a table)" },
		{ "('x'):gsub('x', true)", "string/function/table expected" },
	};
	for (size_t i = 0; i < countof(samples); i++) {
		char source[200];
		snprintf(source, sizeof source, "return %s", samples[i].expression);
		lua_case_raises(source, "script_error", samples[i].wanted);
	}
}

TEST(steps_end_a_search)
{
	struct pattern state;
	const char *start;
	pattern_init(&state, SLICE("aaaaaaaaaaaaaaaaaaaaaaaa"), SLICE("a*a*a*a*a*a*b"), 10000);
	CHECK(pattern_search(&state, state.subject, SLICE("a*a*a*a*a*a*b"), &start) == NULL);
	CHECK(state.over_limit);
	CHECK(state.error == NULL);
	pattern_init(&state, SLICE("aab"), SLICE("a*b"), 10000);
	CHECK(pattern_search(&state, state.subject, SLICE("a*b"), &start) == state.subject_end);
	CHECK(state.steps > 9900);
	lua_case_raises("string.find(string.rep('a', 300), '.-.-.-b')", "pattern_limit", "1000000 steps");
}

TEST_MAIN()
