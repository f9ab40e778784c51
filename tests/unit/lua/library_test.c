/* SPDX-License-Identifier: MIT */
/* The sandbox's own functions do what the manual of Lua 5.4 says, where the sandbox does not say otherwise. */
#include "unit/lua/lua_case.h"

TEST(pairs_in_order)
{
	static const struct {
		const char *table;
		const char *order;
	} cases[] = {
		{ "{ b = 1, a = 2, [3] = 3, [1] = 1, [2.5] = 2, [-1] = 0, [true] = 1, [false] = 1 }",
		  "-1 1 2.5 3 a b false true" },
		{ "{ 1, 2, 3 }", "1 2 3" },
		{ "{}", "" },
		{ "{ [math.maxinteger] = 1, [2^63] = 1, [math.mininteger] = 1, [-2^70] = 1, [0] = 1, [0.5] = 1, [-0.5] "
		  "= 1 }",
		  "-1.1805916207174e+21 -9223372036854775808 -0.5 0 0.5 9223372036854775807 9.2233720368548e+18" },
		{ "{ aa = 1, a = 1, ['a\\0'] = 1, [''] = 1, ['\\xff'] = 1, B = 1 }", " B a a\\0 aa \\xff" },
		{ "{ [1 / 0] = 1, [-1 / 0] = 1, [1] = 1 }", "-inf 1 inf" },
	};
	for (size_t i = 0; i < countof(cases); i++) {
		char source[600];
		snprintf(source, sizeof source,
			 "local t = %s local out = {} for k in pairs(t) do out[#out + 1] = tostring(k) end "
			 "return (table.concat(out, ' '):gsub('[\\0\\xff]', { ['\\0'] = '\\\\0', ['\\xff'] = '\\\\xff' "
			 "}))",
			 cases[i].table);
		lua_case_gives(source, cases[i].order);
		snprintf(source, sizeof source,
			 "local t = %s local out, k = {}, next(t) while k ~= nil do out[#out + 1] = tostring(k) k = "
			 "next(t, k) end "
			 "return (table.concat(out, ' '):gsub('[\\0\\xff]', { ['\\0'] = '\\\\0', ['\\xff'] = '\\\\xff' "
			 "}))",
			 cases[i].table);
		lua_case_gives(source, cases[i].order);
	}
}

TEST(pairs_while_changing)
{
	lua_case_gives("local t = {} for i = 1, 100 do t['k' .. i] = i end local n = 0 "
		       "for k in pairs(t) do n = n + 1 t[k] = nil end return n .. tostring(next(t))",
		       "100nil");
	lua_case_gives(
		"local t = { 1, 2, 3, 4 } local n = 0 for k in pairs(t) do n = n + k t[k + 1] = nil end return n", "4");
	lua_case_gives("local t = { a = 1 } for k in pairs(t) do t.b = 2 end return t.b", "2");
	lua_case_gives("local t = setmetatable({}, { __pairs = function(t) return function(_, k) "
		       "if not k then return 1, 2 end end, t, nil end }) for k, v in pairs(t) do return k + v end",
		       "3");
	lua_case_raises("pairs(nil)", "script_error", "bad argument #1 to 'pairs'");
	lua_case_gives("local m = {} setmetatable({}, m) local n = 0 for _ in pairs(m) do n = n + 1 end return n", "0");
}

TEST(metatables)
{
	lua_case_gives("local A = {} A.__index = A function A.new(n) return setmetatable({ n = n }, A) end "
		       "function A:get() return self.n end local B = setmetatable({}, { __index = A }) B.__index = B "
		       "local b = setmetatable({ n = 7 }, B) return b:get() .. tostring(getmetatable(b) == B)",
		       "7true");
	lua_case_gives("local V = { __add = function(a, b) return a.x + b.x end, __eq = function() return true end, "
		       "__lt = function() return true end, __le = function() return false end, __call = function(_, y) "
		       "return y end, "
		       "__concat = function() return 'cat' end, __len = function() return 42 end, __unm = function() "
		       "return -1 end } "
		       "local a, b = setmetatable({ x = 1 }, V), setmetatable({ x = 2 }, V) "
		       "return table.concat({ a + b, tostring(a == b), tostring(a < b), tostring(a <= b), a(9), a .. "
		       "b, #a, -a }, ' ')",
		       "3 true true false 9 cat 42 -1");
	lua_case_gives("local t = setmetatable({}, { __index = function(_, k) return k .. '!' end }) return t.hey",
		       "hey!");
	lua_case_gives("local t = setmetatable({}, {}) setmetatable(t, nil) return tostring(getmetatable(t))", "nil");
	lua_case_raises("setmetatable({}, 5)", "script_error", "nil or table expected");
	lua_case_raises("setmetatable(5, {})", "script_error", "table expected");
	lua_case_gives("return rawlen({ 1, 2 }) + rawget({ 5 }, 1) + rawset({}, 1, 3)[1]", "10");
}

TEST(errors_and_xpcall)
{
	lua_case_gives(
		"return select(2, xpcall(function(a, b) error(a + b, 0) end, function(e) return e * 2 end, 1, 2))",
		"6");
	lua_case_gives("return select(3, xpcall(function(...) return ... end, print, 1, 2, 3))", "2");
	lua_case_gives("return select('#', xpcall(function() end, print))", "1");
	lua_case_gives("return select(2, pcall(error, { 5 }))[1]", "5");
	lua_case_gives("local co = coroutine.wrap(function() return xpcall(function() return coroutine.yield(1) + 1 "
		       "end, print) end) "
		       "co() return select(2, co(41))",
		       "42");
	lua_case_raises("assert(false, 'not so')", "script_error", "not so");
	lua_case_raises("assert(nil)", "script_error", "assertion failed!");
}

TEST(coroutines)
{
	lua_case_gives("local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end) "
		       "local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, 10) "
		       "return x + y .. coroutine.status(co) .. select(2, coroutine.resume(co))",
		       "22deadcannot resume dead coroutine");
	lua_case_gives("local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) "
		       "return gen() + gen() + gen()",
		       "6");
	lua_case_gives("local ok, e = coroutine.resume(coroutine.create(function() error('bad') end)) return e",
		       "bank/account.lua:1: bad");
	lua_case_raises("coroutine.wrap(function() error('bad') end)()", "script_error", "bank/account.lua:1: bad");
	lua_case_gives("return tostring(coroutine.isyieldable())", "false");
	lua_case_raises("coroutine.wrap(function() error({ code = 'x' }) end)()", "script_error", "code: x");
	lua_case_raises("coroutine.wrap(5)", "script_error", "function expected");
	lua_case_gives("local co = coroutine.create(function(...) return select('#', ...) end) "
		       "return select(2, coroutine.resume(co, table.unpack({}, 1, 1000)))",
		       "1000");
	lua_case_gives(
		"local co = coroutine.wrap(function() return table.unpack({}, 1, 5000) end) return select('#', co())",
		"5000");
	lua_case_raises("coroutine.resume(5)", "script_error", "coroutine expected");
	lua_case_gives("local n = 0 "
		       "local c = coroutine.wrap(function() for i = 1, 100 do coroutine.yield(i) end end) "
		       "for i in c do n = n + i end return n",
		       "5050");
}

TEST(tables)
{
	lua_case_gives("local t = { 1, 2, 3 } table.insert(t, 4) table.insert(t, 1, 0) "
		       "return table.concat(t, ',') .. table.remove(t) .. table.remove(t, 1) .. #t .. "
		       "tostring(table.remove({}))",
		       "0,1,2,3,4403nil");
	lua_case_raises("table.insert({ 1 }, 5, 1)", "script_error", "position out of bounds");
	lua_case_raises("table.insert({ 1 }, 1, 2, 3)", "script_error", "wrong number of arguments");
	lua_case_raises("table.remove({ 1 }, 5)", "script_error", "position out of bounds");
	lua_case_gives("return table.concat(table.move({ 1, 2, 3, 4 }, 2, 4, 1), ',')", "2,3,4,4");
	lua_case_gives("return table.concat(table.move({ 1, 2, 3 }, 1, 3, 2), ',')", "1,1,2,3");
	lua_case_gives("return table.concat(table.move({ 1, 2 }, 1, 2, 3, { 8, 9 }), ',')", "8,9,1,2");
	lua_case_gives("local t = { 5, 2, 8, 1, 9, 3 } table.sort(t) return table.concat(t, ',')", "1,2,3,5,8,9");
	lua_case_gives("local t = { 'b', 'a', 'C' } table.sort(t, function(x, y) return x > y end) return "
		       "table.concat(t, ',')",
		       "b,a,C");
	lua_case_gives("local t = {} for i = 1, 1000 do t[i] = { k = i * 7 % 10, i = i } end "
		       "table.sort(t, function(a, b) return a.k < b.k end) "
		       "for i = 2, #t do if t[i - 1].k > t[i].k or (t[i - 1].k == t[i].k and t[i - 1].i > t[i].i) then "
		       "return i end end "
		       "return 'stable'",
		       "stable");
	lua_case_raises("table.sort({ 1, 'a' })", "script_error", "attempt to compare");
	lua_case_raises("table.sort({ 3, 2, 1 }, 5)", "script_error", "function expected");
	lua_case_gives("local t = {} for i = 1, 50 do t[i] = i end table.sort(t, function() return true end) return #t",
		       "50");
	lua_case_gives("local t = table.pack(1, nil, 3) return t.n .. select('#', table.unpack(t, 1, t.n))", "33");
}

TEST(table_arguments)
{
	lua_case_raises("table.insert(5, 1)", "script_error", "table expected");
	lua_case_raises("table.insert({}, 0, 1)", "script_error", "position out of bounds");
	lua_case_raises("table.insert({})", "script_error", "wrong number of arguments");
	lua_case_raises("table.remove({ 1 }, 0)", "script_error", "position out of bounds");
	lua_case_gives("return tostring(table.remove({}, 0)) .. tostring(table.remove({ 1 }, 2))", "nilnil");
	lua_case_raises("table.move({}, 1, 2)", "script_error", "number expected");
	lua_case_raises("table.move(5, 1, 2, 1)", "script_error", "table expected");
	lua_case_raises("table.move({}, 1, 2, 1, 5)", "script_error", "table expected");
	lua_case_raises("table.move({}, -2, math.maxinteger, 1)", "script_error", "too many elements");
	lua_case_raises("table.move({}, 1, 10, math.maxinteger)", "script_error", "wrap around");
	lua_case_gives("return #table.move({ 1, 2 }, 2, 1, 1) .. #table.move({ 1 }, 0, 0, -5)", "21");
	lua_case_gives("local t = { 1, 2, 3 } return table.concat(table.move(t, 1, 3, 2, t), ',')", "1,1,2,3");
	lua_case_raises("#setmetatable({}, { __len = function() return 'x' end })", "script_error", "");
	lua_case_raises("table.sort(setmetatable({}, { __len = function() return -1 end }))", "script_error",
			"elements");
	lua_case_raises("table.sort({ {}, {} })", "script_error", "attempt to compare two table values");
	lua_case_gives("table.sort({}) table.sort({ 1 }) return 'fine'", "fine");
	lua_case_raises("setmetatable({}, string)", "script_error", "read-only");
	lua_case_raises("rawset({}, 1)", "script_error", "value expected");
	lua_case_raises("getmetatable()", "script_error", "value expected");
	lua_case_gives("return tostring(getmetatable({})) .. tostring(getmetatable(5))", "nilnil");
	lua_case_gives("return tostring(setmetatable({}, { __name = 'Account' }))", "Account");
	lua_case_gives("return tostring(setmetatable({}, { __name = 5 }))", "table");
	lua_case_raises("return string[5]()", "script_error", "attempt to call a nil value");
	lua_case_raises("string[5] = 1", "script_error", "attempt to change '5'");
	lua_case_raises("string[{}] = 1", "script_error", "attempt to change 'table'");
	lua_case_gives("return #string .. #_ENV", "00");
}

TEST(strings)
{
	lua_case_gives("return ('abc'):rep(2, '-') .. ('x'):rep(0) .. ('x'):rep(-1)", "abc-abc");
	lua_case_gives("return ('%5.1f|%-5s|%05d|%x|%q|%c|%%|%s'):format(3.14159, 'ab', 42, 255, 'a\"b', 65, nil)",
		       "  3.1|ab   |00042|ff|\"a\\\"b\"|A|%|nil");
	lua_case_raises("string.format('%d', 3.5)", "script_error", "no integer representation");
	lua_case_raises("string.format('%s')", "script_error", "bad argument #2 to 'format'");
	lua_case_raises("string.format('%', 1)", "script_error", "invalid conversion");
	lua_case_raises("string.format('%5', 1)", "script_error", "invalid conversion");
	lua_case_gives("return ('%s|%s|%s'):format(json.null, setmetatable({}, { __name = 'Acc' }), true)",
		       "null|Acc|true");
	lua_case_gives("return ('%s'):format(coroutine.create(print))", "thread");
	lua_case_raises("string.format('%y', 1)", "script_error", "invalid conversion");
	lua_case_gives("return #string.pack('<i4', 7) + string.unpack('<i4', string.pack('<i4', 7))", "11");
	lua_case_gives("return utf8.len('größe') .. utf8.char(252) .. utf8.codepoint('ü')", "5ü252");
	lua_case_gives("return '10' + 1 .. ''", "11");
	lua_case_gives("return tonumber('0x10') + tonumber('z', 36) + tonumber('  5  ')", "56");
	lua_case_gives("return math.type(1) .. math.type(1.0) .. math.maxinteger // 1 .. math.tointeger(3.0)",
		       "integerfloat92233720368547758073");
}

TEST(json_for_scripts)
{
	lua_case_gives("return json.encode({ a = json.array(), b = {}, c = json.null, d = json.array({ 1 }) })",
		       "{\"a\":[],\"b\":{},\"c\":null,\"d\":[1]}");
	lua_case_gives("local t = json.decode('[1,null]') return tostring(json.isnull(t[2])) .. "
		       "tostring(json.isarray(t)) .. #t",
		       "truetrue2");
	lua_case_raises("json.decode('{\"a\":}')", "script_error", "JSON at offset 5: a value expected");
	lua_case_raises("json.encode({ a = { 0 / 0 } })", "script_error", "a[1]: NaN has no JSON form");
	lua_case_raises("json.array(setmetatable({}, {}))", "script_error", "metatable already");
	lua_case_gives("local x = json.decode('{\"list\":[]}') x.list[1] = 5 return json.encode(x)", "{\"list\":[5]}");
	lua_case_gives(
		"return json.encode(setmetatable({ a = 1 }, { __index = { b = 2 }, __len = function() return 9 end }))",
		"{\"a\":1}");
}

TEST(times)
{
	lua_case_gives("return time.parse('1970-01-01T00:00:01.5Z')", "1500000");
	lua_case_gives("return time.parse('2024-02-29T12:00:00+02:00') == time.parse('2024-02-29T10:00:00Z')", "true");
	lua_case_gives("return time.format(0)", "1970-01-01T00:00:00.000000Z");
	lua_case_gives("return select(2, time.parse('soon'))", "not an ISO 8601 time");
	lua_case_gives(
		"local function at(s, a) return time.format(time.add(time.parse(s), a)):sub(1, 19) end return "
		"table.concat({ "
		"at('2024-01-31', { months = 1 }), at('2023-01-31', { months = 1 }), at('2024-03-31', { months = -1 "
		"}), "
		"at('2024-02-29', { years = 1 }), at('1969-12-31', { days = 1 }), at('2024-12-31T23:59:59Z', { seconds "
		"= 1 }), "
		"at('2000-03-01', { days = -1 }), at('1900-02-28', { days = 1 }) }, ' ')",
		"2024-02-29T00:00:00 2023-02-28T00:00:00 2024-02-29T00:00:00 2025-02-28T00:00:00 1970-01-01T00:00:00 "
		"2025-01-01T00:00:00 2000-02-29T00:00:00 1900-03-01T00:00:00");
	lua_case_gives("local d = time.date(time.parse('2026-11-21T10:22:33.000044Z')) "
		       "return table.concat({ d.year, d.month, d.day, d.hour, d.minute, d.second, d.microsecond, "
		       "d.weekday }, ' ')",
		       "2026 11 21 10 22 33 44 6");
	lua_case_gives("local d = time.date(-1) return d.year .. d.month .. d.day .. d.hour .. d.microsecond",
		       "1969123123999999");
	lua_case_raises("time.add(0, { days = 1.5 })", "script_error", "days must be an integer");
	lua_case_raises("time.add(0, { years = 9000 })", "script_error", "outside of the years");
	lua_case_raises("time.add(0, { microseconds = -1 >> 1 })", "script_error", "4e11");
	lua_case_raises("time.format(1 << 62)", "script_error", "outside of the years");
	lua_case_raises("time.format(-1 << 62)", "script_error", "outside of the years");
	lua_case_raises("time.add(0, { years = -9000 })", "script_error", "outside of the years");
	lua_case_raises("time.add(0, { days = 400000000000 })", "script_error", "outside of the years");
	lua_case_raises("time.add(0, { days = 100000000, weeks = 100000000 })", "script_error", "outside of the years");
	lua_case_raises("time.add(0, { months = -400000000001 })", "script_error", "4e11");
	lua_case_raises("time.add(0)", "script_error", "table expected");
	lua_case_raises("time.add('x', {})", "script_error", "number expected");
	lua_case_gives("return tostring(time.parse('2024-01-01\\0'))", "nil");
	lua_case_gives("local d = time.date(time.parse('2023-01-02')) return d.weekday .. d.year", "12023");
	lua_case_gives("local d = time.date(time.parse('0001-01-01')) return d.day .. '.' .. d.month .. '.' .. d.year",
		       "1.1.1");
	lua_case_gives(
		"return time.add(0, { weeks = 1, days = 1, hours = 1, minutes = 1, seconds = 1, milliseconds = 1, "
		"microseconds = 1 })",
		"694861001001");
}

TEST(money)
{
	lua_case_gives("return money.parse('500', 'EUR') .. ' ' .. money.parse('500.00', 'EUR') .. ' ' .. "
		       "money.parse('-0.05', 'EUR') .. ' ' .. "
		       "money.parse('7', 'JPY') .. ' ' .. money.parse('1.234', 'KWD')",
		       "50000 50000 -5 7 1234");
	lua_case_gives("return money.format(50000, 'EUR') .. ' ' .. money.format(-5, 'EUR') .. ' ' .. money.format(0, "
		       "'EUR') .. ' ' .. "
		       "money.format(7, 'JPY') .. ' ' .. money.format(1, 'KWD') .. ' ' .. "
		       "money.format(math.mininteger, 'EUR')",
		       "500.00 -0.05 0.00 7 0.001 -92233720368547758.08");
	lua_case_gives(
		"local out = {} for _, s in ipairs { '1.234', '', '-', '.5', '5.', '1e3', '0x1', '1,5', "
		"'92233720368547758.08', ' 1' } do "
		"out[#out + 1] = select(2, money.parse(s, 'EUR')) end return table.concat(out, '|')",
		"too many decimals|not an amount|not an amount|not an amount|not an amount|not an amount|not an amount|"
		"not an amount|out of range|not an amount");
	lua_case_gives("return money.parse('92233720368547758.07', 'EUR') == math.maxinteger and "
		       "money.parse('-92233720368547758.08', 'EUR') == math.mininteger",
		       "true");
	lua_case_gives("return money.decimals('EUR') .. money.decimals('JPY') .. money.decimals('BHD') .. "
		       "money.decimals('QQQ')",
		       "2032");
}

TEST_MAIN()
