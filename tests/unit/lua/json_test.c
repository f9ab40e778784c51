/* SPDX-License-Identifier: MIT */
/* The codec: strict in, canonical out, places in every refusal. */
#include "script/lua/json.h"
#include "unit/lua/lua_case.h"

struct codec {
	struct slice text;
	const struct json_limits *limits;
	struct buf out;
	struct fault fault;
	int result;
};

static int
codec_body(lua_State *L)
{
	struct codec *codec = vm_request(L);
	codec->result = json_read(L, codec->text, codec->limits, &codec->fault);
	if (codec->result == 0) {
		CHECK_INT(lua_gettop(L), 2);
		codec->result = json_write(L, -1, &codec->out, codec->limits, &codec->fault);
	}
	return 0;
}

static void
codec_run(struct codec *codec, struct slice text, const struct json_limits *limits)
{
	struct lua_case run;
	lua_case_open(&run, NULL);
	memset(codec, 0, sizeof *codec);
	codec->text = text;
	codec->limits = limits;
	buf_init(&codec->out, 8 << 20);
	CHECK_INT(vm_protect(run.vm, codec_body, codec, &codec->fault), 0);
	lua_case_close(&run);
}

static void
becomes(struct slice text, const char *wanted)
{
	struct codec codec;
	codec_run(&codec, text, NULL);
	if (codec.result != 0)
		CHECK_FAIL("%.*s: %s", SLICE_ARG(text), codec.fault.text);
	CHECK_SLICE(buf_slice(&codec.out), wanted);
	buf_fini(&codec.out);
}

static void
refused(struct slice text, const char *wanted)
{
	struct codec codec;
	codec_run(&codec, text, NULL);
	if (codec.result == 0)
		CHECK_FAIL("%.*s was accepted", SLICE_ARG(text));
	if (strcmp(codec.fault.text, wanted) != 0)
		CHECK_FAIL("%.*s: %s, not: %s", SLICE_ARG(text), codec.fault.text, wanted);
	CHECK_TEXT(codec.fault.code, "bad_json");
	CHECK_INT(codec.fault.class, FAULT_INPUT);
	buf_fini(&codec.out);
}

TEST(canonical_forms)
{
	becomes(SLICE("{}"), "{}");
	becomes(SLICE("[]"), "[]");
	becomes(SLICE(" [ 1 ,\t2 ,\r\n 3 ] "), "[1,2,3]");
	becomes(SLICE("{\"b\":1,\"a\":2,\"aa\":3,\"\":4,\"A\":5}"), "{\"\":4,\"A\":5,\"a\":2,\"aa\":3,\"b\":1}");
	becomes(SLICE("{\"longprefix2\":1,\"longprefix1\":2,\"longprefix\":3}"),
		"{\"longprefix\":3,\"longprefix1\":2,\"longprefix2\":1}");
	becomes(SLICE("[true,false,null]"), "[true,false,null]");
	becomes(SLICE("{\"a\":{\"b\":[{\"c\":[]},{}]}}"), "{\"a\":{\"b\":[{\"c\":[]},{}]}}");
	becomes(SLICE("\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\/\""), "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/\"");
	becomes(SLICE("\"\\b\\f\\n\\r\\t\\\"\\\\\\u0000\\u001f\\u007f\""),
		"\"\\b\\f\\n\\r\\t\\\"\\\\\\u0000\\u001f\x7f\"");
	becomes(SLICE("{\"a\\u0000\":1,\"a\":2}"), "{\"a\":2,\"a\\u0000\":1}");
}

TEST(numbers)
{
	becomes(SLICE("9223372036854775807"), "9223372036854775807");
	becomes(SLICE("-9223372036854775808"), "-9223372036854775808");
	becomes(SLICE("9007199254740993"), "9007199254740993");
	becomes(SLICE("-0"), "0");
	becomes(SLICE("1.0"), "1.0");
	becomes(SLICE("1e0"), "1.0");
	becomes(SLICE("-0.0"), "-0.0");
	becomes(SLICE("0.1"), "0.1");
	becomes(SLICE("0.30000000000000004"), "0.30000000000000004");
	becomes(SLICE("123456.789"), "123456.789");
	becomes(SLICE("1.10"), "1.1");
	becomes(SLICE("1E5"), "100000.0");
	becomes(SLICE("1e+300"), "1e300");
	becomes(SLICE("1.5e-10"), "1.5e-10");
	becomes(SLICE("5e-324"), "5e-324");
	becomes(SLICE("1.7976931348623157e308"), "1.7976931348623157e308");
	becomes(SLICE("0.000001"), "0.000001");
	becomes(SLICE("0.0000001"), "1e-7");
	becomes(SLICE("1e22"), "1e22");
	becomes(SLICE("123456789012345680.0"), "1.2345678901234568e17");
	becomes(SLICE("1e-400"), "0.0");
	becomes(SLICE("0.1000000000000000055511151231257827"), "0.1");
}

TEST(refusals_name_the_byte)
{
	refused(SLICE(""), "JSON at offset 0: a value expected");
	refused(SLICE("  "), "JSON at offset 2: a value expected");
	refused(SLICE("{"), "JSON at offset 1: the object has no end");
	refused(SLICE("[1"), "JSON at offset 2: the array has no end");
	refused(SLICE("[1,]"), "JSON at offset 3: a value expected");
	refused(SLICE("[,1]"), "JSON at offset 1: a value expected");
	refused(SLICE("[1 2]"), "JSON at offset 3: ',' or ']' expected");
	refused(SLICE("{\"a\":1,}"), "JSON at offset 7: a key in double quotes expected");
	refused(SLICE("{\"a\" 1}"), "JSON at offset 5: ':' expected");
	refused(SLICE("{a:1}"), "JSON at offset 1: a key in double quotes expected");
	refused(SLICE("{\"a\":1 \"b\":2}"), "JSON at offset 7: ',' or '}' expected");
	refused(SLICE("1 x"), "JSON at offset 2: something after the value");
	refused(SLICE("{} {}"), "JSON at offset 3: something after the value");
	refused(SLICE("tru"), "JSON at offset 0: a value expected");
	refused(SLICE("NaN"), "JSON at offset 0: a value expected");
	refused(SLICE("'a'"), "JSON at offset 0: a value expected");
	refused(SLICE("\"abc"), "JSON at offset 0: string without end");
	refused(SLICE("\"abc\\"), "JSON at offset 0: string without end");
	refused(SLICE("\"a\nb\""), "JSON at offset 2: control character in a string");
	refused(SLICE("\"\\q\""), "JSON at offset 1: unknown escape");
	refused(SLICE("\"\\u12g4\""), "JSON at offset 1: \\u wants four hexadecimal digits");
	refused(SLICE("\"\\ud800\""), "JSON at offset 1: lone surrogate");
	refused(SLICE("\"\\udc00\""), "JSON at offset 1: lone surrogate");
	refused(SLICE("\"\\ud800\\u0041\""), "JSON at offset 1: lone surrogate");
	refused(SLICE("\"\x80\""), "JSON at offset 1: not UTF-8");
	refused(SLICE("\"\xc0\xaf\""), "JSON at offset 1: not UTF-8");
	refused(SLICE("\"\xed\xa0\x80\""), "JSON at offset 1: not UTF-8");
	refused(SLICE("\"\xf5\x80\x80\x80\""), "JSON at offset 1: not UTF-8");
	refused(SLICE("\"\xe2\x82"), "JSON at offset 1: not UTF-8");
	refused(SLICE("01"), "JSON at offset 0: a number may not begin with 0");
	refused(SLICE("-"), "JSON at offset 0: a digit expected after '-'");
	refused(SLICE("1."), "JSON at offset 2: a digit expected after '.'");
	refused(SLICE("1e"), "JSON at offset 2: a digit expected in the exponent");
	refused(SLICE("+1"), "JSON at offset 0: a value expected");
	refused(SLICE(".5"), "JSON at offset 0: a value expected");
	refused(SLICE("9223372036854775808"), "JSON at offset 0: integer out of 64-bit range");
	refused(SLICE("-9223372036854775809"), "JSON at offset 0: integer out of 64-bit range");
	refused(SLICE("[1e400]"), "JSON at offset 1: number out of range");
	refused(SLICE("\xef\xbb\xbf{}"), "JSON at offset 0: a value expected");
	refused(SLICE("{\"a\":1,\"b\":2,\"a\":3}"), "JSON at offset 13: the key is there twice");
	refused(SLICE("{\"a\":1,\"\\u0061\":3}"), "JSON at offset 7: the key is there twice");
	refused(SLICE("{\"x\":{\"k\":1,\"k\":1}}"), "JSON at offset 12: the key is there twice");
}

static void
limited(struct slice text, const struct json_limits *limits, const char *wanted)
{
	struct codec codec;
	codec_run(&codec, text, limits);
	CHECK_INT(codec.result, -1);
	CHECK_TEXT(codec.fault.text, wanted);
	CHECK_TEXT(codec.fault.code, "json_limit");
	CHECK_INT(codec.fault.class, FAULT_LIMIT);
	buf_fini(&codec.out);
}

/* Names that were read lately are found by their ends: those that differ in the middle alone share a place. */
TEST(names_are_not_taken_for_each_other)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	becomes(SLICE("[{\"abcdefgh1ijklmnop\":1},{\"abcdefgh2ijklmnop\":2},{\"abcdefgh1ijklmnop\":3}]"),
		"[{\"abcdefgh1ijklmnop\":1},{\"abcdefgh2ijklmnop\":2},{\"abcdefgh1ijklmnop\":3}]");
	buf_byte(&text, '[');
	for (int i = 0; i < 4000; i++)
		buf_format(&text, "%s{\"%0*d\":%d}", i > 0 ? "," : "", 1 + i % 45, i % 700, i);
	buf_byte(&text, ']');
	buf_byte(&text, '\0');
	CHECK(!text.failed);
	becomes(slice_from(text.data, text.size - 1), text.data);
	buf_fini(&text);
}

TEST(a_wrong_byte_is_found_at_every_place)
{
	for (int before = 0; before < 20; before++) {
		char text[64], wanted[80];
		snprintf(text, sizeof text, "\"%.*s\x01%s\"", before, "abcdefghijklmnopqrstuvwxyz", "0123456789");
		snprintf(wanted, sizeof wanted, "JSON at offset %d: control character in a string", before + 1);
		refused(slice_text(text), wanted);
		snprintf(text, sizeof text, "\"%.*s\xff%s\"", before, "abcdefghijklmnopqrstuvwxyz", "0123456789");
		snprintf(wanted, sizeof wanted, "JSON at offset %d: not UTF-8", before + 1);
		refused(slice_text(text), wanted);
	}
}

TEST(limits)
{
	struct json_limits limits = { .depth = 3, .string_bytes = 5, .number_bytes = 4, .total_bytes = 40 };
	limited(SLICE("[[[[]]]]"), &limits, "JSON at offset 3: nested too deeply");
	limited(SLICE("\"123456\""), &limits, "JSON at offset 0: the string is too long");
	limited(SLICE("[12345]"), &limits, "JSON at offset 1: the number is too long");
	limited(SLICE("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]"), &limits,
		"JSON at offset 0: the text is too long");
}

TEST(many_members_and_elements)
{
	char text[8192], wanted[8192];
	size_t size = 0, want = 0;
	size += (size_t)snprintf(text, sizeof text, "{");
	want += (size_t)snprintf(wanted, sizeof wanted, "{");
	for (int i = 0; i < 300; i++) {
		size += (size_t)snprintf(text + size, sizeof text - size, "%s\"k%03d\":%d", i > 0 ? "," : "", 299 - i,
					 i);
		want += (size_t)snprintf(wanted + want, sizeof wanted - want, "%s\"k%03d\":%d", i > 0 ? "," : "", i,
					 299 - i);
	}
	snprintf(text + size, sizeof text - size, "}");
	snprintf(wanted + want, sizeof wanted - want, "}");
	becomes(slice_text(text), wanted);
	snprintf(text + size, sizeof text - size, ",\"k150\":1}");
	refused(slice_text(text), "JSON at offset 3191: the key is there twice");
	size = (size_t)snprintf(text, sizeof text, "[");
	for (int i = 0; i < 500; i++)
		size += (size_t)snprintf(text + size, sizeof text - size, "%s%d", i > 0 ? "," : "", i);
	snprintf(text + size, sizeof text - size, "]");
	becomes(slice_text(text), text);
}

TEST(written_refusals_name_the_path)
{
	lua_case_raises("json.encode({ items = { { price = 1 }, { price = 1 / 0 } } })", "script_error",
			"items[2].price: infinity has no JSON form");
	lua_case_raises("json.encode({ a = function() end })", "script_error", "a: a function has no JSON form");
	lua_case_raises("json.encode({ 1, nil, 3 })", "script_error", "no array: its keys are not 1 to n");
	lua_case_raises("json.encode({ x = { [2] = 1 } })", "script_error", "x: a table with a number as key");
	lua_case_raises("json.encode({ [true] = 1 })", "script_error", "an object cannot have a key of type boolean");
	lua_case_raises("json.encode({ s = '\\xff' })", "script_error", "s: the string is not UTF-8");
	lua_case_raises("local a = json.array({ 1 }) a.x = 2 json.encode(a)", "script_error", "the list is no array");
	lua_case_raises("json.encode({ s = ('x'):rep(300000) })", "script_error",
			"s: a string of 300000 bytes is too long");
	lua_case_raises("local t = {} for i = 1, 10 do t[i] = ('x'):rep(200000) end json.encode(t)", "script_error",
			"longer than 1048576 bytes");
	lua_case_raises("json.encode(nil)", "script_error", "a nil has no JSON form");
}

TEST(odd_tables_are_written)
{
	/* a metatable that was used keeps its copy under a hidden key, which no text shows */
	lua_case_gives("local m = { a = 1 } setmetatable({}, m) return json.encode(m)", "{\"a\":1}");
	lua_case_gives("local m = {} for i = 10, 59 do m['k' .. i] = i end setmetatable({}, m) "
		       "return #json.encode(m) .. json.encode(m):sub(1, 17)",
		       "451{\"k10\":10,\"k11\":1");
	lua_case_raises("local t = {} for i = 10, 59 do t['k' .. i] = i end t[1.5] = 1 json.encode({ big = t })",
			"script_error", "key of type number");
	lua_case_gives("return json.encode({ ['\\11'] = '\\27' })", "{\"\\u000b\":\"\\u001b\"}");
	lua_case_raises("json.encode({ ['\\xff'] = 1 })", "script_error", "the string is not UTF-8");
	lua_case_raises("json.encode({ 1, [-1] = 2 })", "script_error", "not 1 to n");
	lua_case_raises("json.encode({ 1, [2.5] = 2 })", "script_error", "not 1 to n");
	lua_case_raises("return json.encode(string)", "script_error", "a function has no JSON form");
	lua_case_gives("return json.encode(string.rep('a', 3)) .. json.encode(1.5) .. json.encode(false)",
		       "\"aaa\"1.5false");
	lua_case_gives("return #json.decode('\"' .. ('\\\\n'):rep(1000) .. '\"')", "1000");
	lua_case_raises("json.decode('\"' .. ('\\\\n'):rep(1000) .. '\\\\q\"')", "script_error",
			"offset 2001: unknown escape");
	lua_case_raises("json.decode(('{\"a\":'):rep(100))", "script_error", "nested too deeply");
	lua_case_gives(
		"return tostring(json.isnull(5)) .. tostring(json.isnull(json.null)) .. tostring(json.isarray({}))",
		"falsetruefalse");
}

static int
small_body(lua_State *L)
{
	struct codec *codec = vm_request(L);
	CHECK_INT(json_read(L, codec->text, NULL, &codec->fault), 0);
	codec->result = json_write(L, -1, &codec->out, NULL, &codec->fault);
	return 0;
}

TEST(a_full_buffer_is_a_limit)
{
	static const char *const texts[] = { "[1,2,3,4,5,6,7,8,9,10]", "\"0123456789012345678901234567890\"" };
	for (size_t i = 0; i < countof(texts); i++) {
		struct lua_case run;
		struct codec codec = { .text = slice_text(texts[i]) };
		lua_case_open(&run, NULL);
		buf_init(&codec.out, 16);
		buf_text(&codec.out, "kept ");
		CHECK_INT(vm_protect(run.vm, small_body, &codec, &run.fault), 0);
		CHECK_INT(codec.result, -1);
		CHECK_TEXT(codec.fault.text, "the value is longer than 16 bytes as JSON");
		CHECK_SLICE(buf_slice(&codec.out), "kept ");
		buf_fini(&codec.out);
		lua_case_close(&run);
	}
}

TEST_MAIN()
