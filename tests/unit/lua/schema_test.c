/* SPDX-License-Identifier: MIT */
/* Schemas: what compiles, what is read, what is written, and how refusals read to a client. */
#include "script/lua/json.h"
#include "script/lua/schema.h"
#include "unit/lua/lua_case.h"

struct schema_case {
	struct lua_case run;
	struct arena arena;
	const char *definition; /* of fields */
	struct schema *schema;
	struct schema_context context;
	struct slice bytes;
	const char *source; /* of a Lua value to write, instead of bytes */
	char text[2048];    /* the answer, or "code: text" of the refusal */
	char stored[2048];  /* what was read, written in stored mode */
	char wire[2048];
};

static void
push_value(lua_State *L, const char *source)
{
	char chunk[2048];
	snprintf(chunk, sizeof chunk, "return %s", source);
	if (sandbox_load(L, SLICE("schema.lua"), slice_text(chunk)) != LUA_OK)
		lua_error(L);
	lua_call(L, 0, 1);
}

static int
compile_body(lua_State *L)
{
	struct schema_case *test = vm_request(L);
	struct fault fault;
	push_value(L, test->definition);
	if (schema_compile_fields(L, -1, &test->arena, "account.lua: data", &test->schema, &fault) != 0)
		vm_raise(L, &fault);
	CHECK_INT(lua_gettop(L), 2);
	return 0;
}

static void
write_text(lua_State *L, struct schema_case *test, enum schema_mode mode, char *text, size_t size)
{
	struct schema_context context = test->context;
	struct schema_trouble trouble;
	struct fault fault;
	struct buf out;
	int top = lua_gettop(L);
	context.mode = mode;
	buf_init(&out, 1 << 20);
	buf_text(&out, "before ");
	if (schema_write(L, -1, test->schema, &context, &out, &trouble) != 0) {
		CHECK_SLICE(buf_slice(&out), "before ");
		CHECK_INT(trouble.offset, -1);
		schema_fault(&trouble, FAULT_SCRIPT, &fault);
		snprintf(text, size, "%s: %s", fault.code, fault.text);
	} else {
		snprintf(text, size, "%.*s", (int)out.size - 7, out.data + 7);
	}
	CHECK_INT(lua_gettop(L), top);
	buf_fini(&out);
}

static int
read_body(lua_State *L)
{
	struct schema_case *test = vm_request(L);
	struct schema_trouble trouble;
	struct fault fault;
	if (schema_read(L, test->schema, test->bytes, &test->context, &trouble) != 0) {
		CHECK_INT(lua_gettop(L), 1);
		schema_fault(&trouble, FAULT_INPUT, &fault);
		snprintf(test->text, sizeof test->text, "%s: %s", fault.code, fault.text);
		return 0;
	}
	CHECK_INT(lua_gettop(L), 2);
	struct buf out;
	buf_init(&out, 1 << 20);
	CHECK_INT(json_write(L, -1, &out, NULL, &fault), 0);
	snprintf(test->text, sizeof test->text, "%.*s", SLICE_ARG(buf_slice(&out)));
	buf_fini(&out);
	write_text(L, test, SCHEMA_STORED, test->stored, sizeof test->stored);
	write_text(L, test, SCHEMA_WIRE, test->wire, sizeof test->wire);
	return 0;
}

static int
write_body(lua_State *L)
{
	struct schema_case *test = vm_request(L);
	push_value(L, test->source);
	write_text(L, test, test->context.mode, test->text, sizeof test->text);
	return 0;
}

static void
open_case(struct schema_case *test, const char *definition)
{
	memset(test, 0, sizeof *test);
	lua_case_open(&test->run, NULL);
	arena_init(&test->arena, 1 << 20);
	test->definition = definition;
	if (vm_protect(test->run.vm, compile_body, test, &test->run.fault) != 0)
		snprintf(test->text, sizeof test->text, "%s: %s", test->run.fault.code, test->run.fault.text);
}

static void
close_case(struct schema_case *test)
{
	arena_fini(&test->arena);
	lua_case_close(&test->run);
}

static const char *
reads(struct schema_case *test, const char *bytes)
{
	test->bytes = slice_text(bytes);
	CHECK_INT(vm_protect(test->run.vm, read_body, test, &test->run.fault), 0);
	return test->text;
}

static const char *
writes(struct schema_case *test, const char *source)
{
	test->source = source;
	if (vm_protect(test->run.vm, write_body, test, &test->run.fault) != 0)
		CHECK_FAIL("%s: %s", source, test->run.fault.text);
	return test->text;
}

TEST(money_on_the_wire)
{
	struct schema_case test;
	open_case(&test, "{ amount = { type = 'money', minimum = 1 }, description = 'string?' }");
	CHECK_TEXT(reads(&test, "{\"amount\":500.00}"), "{\"amount\":50000}");
	CHECK_TEXT(test.stored, "{\"amount\":50000}");
	CHECK_TEXT(test.wire, "{\"amount\":500.00}");
	CHECK_TEXT(reads(&test, "{\"amount\":500,\"description\":null}"), "{\"amount\":50000}");
	CHECK_TEXT(reads(&test, "{\"amount\":0.1}"), "{\"amount\":10}");
	CHECK_TEXT(reads(&test, "{\"amount\":92233720368547758.07}"), "{\"amount\":9223372036854775807}");
	CHECK_TEXT(reads(&test, "{\"amount\":500.001}"), "bad_money: amount: at most 2 decimals in EUR (offset 10)");
	CHECK_TEXT(reads(&test, "{\"amount\":5e2}"),
		   "bad_money: amount: an amount is a plain number such as 500 or 500.00 (offset 10)");
	CHECK_TEXT(reads(&test, "{\"amount\":92233720368547758.08}"),
		   "bad_money: amount: the amount is out of range (offset 10)");
	CHECK_TEXT(reads(&test, "{\"amount\":\"500\"}"),
		   "bad_type: amount: an amount expected, not a string (offset 10)");
	CHECK_TEXT(reads(&test, "{\"amount\":0}"), "bad_value: amount: at least 0.01 EUR (offset 10)");
	CHECK_TEXT(reads(&test, "{\"amount\":-5}"), "bad_value: amount: at least 0.01 EUR (offset 10)");
	test.context.currency = SLICE("JPY");
	CHECK_TEXT(reads(&test, "{\"amount\":500}"), "{\"amount\":500}");
	CHECK_TEXT(test.wire, "{\"amount\":500}");
	CHECK_TEXT(reads(&test, "{\"amount\":500.0}"), "bad_money: amount: no decimals in JPY (offset 10)");
	test.context.mode = SCHEMA_STORED;
	CHECK_TEXT(reads(&test, "{\"amount\":50000}"), "{\"amount\":50000}");
	CHECK_TEXT(reads(&test, "{\"amount\":1.5}"), "bad_type: amount: an amount expected, not 1.5 (offset 10)");
	CHECK_TEXT(reads(&test, "{\"amount\":0}"), "bad_value: amount: at least 1 (offset 10)");
	close_case(&test);
}

TEST(currency_stands_beside)
{
	struct schema_case test;
	open_case(
		&test,
		"{ amount = 'money', currency = { type = 'string', enum = { 'EUR', 'JPY', 'KWD' }, default = 'EUR' }, "
		"fee = { type = 'money', currency = 'feeCurrency', optional = true }, feeCurrency = 'string?', "
		"usd = { type = 'money', currency = 'USD', default = 5 } }");
	CHECK_TEXT(reads(&test, "{\"amount\":500,\"currency\":\"JPY\"}"),
		   "{\"amount\":500,\"currency\":\"JPY\",\"usd\":5}");
	CHECK_TEXT(test.wire, "{\"amount\":500,\"currency\":\"JPY\",\"usd\":0.05}");
	CHECK_TEXT(reads(&test, "{\"currency\":\"JPY\",\"amount\":500}"),
		   "{\"amount\":500,\"currency\":\"JPY\",\"usd\":5}");
	CHECK_TEXT(reads(&test, "{\"amount\":1.2}"), "{\"amount\":120,\"currency\":\"EUR\",\"usd\":5}");
	CHECK_TEXT(
		reads(&test, "{\"amount\":1.234,\"currency\":\"KWD\",\"usd\":1.20,\"fee\":3,\"feeCurrency\":\"JPY\"}"),
		"{\"amount\":1234,\"currency\":\"KWD\",\"fee\":3,\"feeCurrency\":\"JPY\",\"usd\":120}");
	CHECK_TEXT(test.wire, "{\"amount\":1.234,\"currency\":\"KWD\",\"fee\":3,\"feeCurrency\":\"JPY\",\"usd\":1.20}");
	CHECK_TEXT(reads(&test, "{\"amount\":1,\"currency\":\"CHF\"}"),
		   "bad_value: currency: must be one of EUR, JPY, KWD (offset 23)");
	close_case(&test);
}

TEST(objects_are_closed)
{
	struct schema_case test;
	open_case(&test,
		  "{ name = 'string', age = 'integer?', inner = { fields = { x = 'number' }, optional = true } }");
	CHECK_TEXT(reads(&test, "{\"name\":\"a\",\"age\":3,\"inner\":{\"x\":1.5}}"),
		   "{\"age\":3,\"inner\":{\"x\":1.5},\"name\":\"a\"}");
	CHECK_TEXT(reads(&test, "{}"), "missing_field: name: is required (offset 1)");
	CHECK_TEXT(reads(&test, ""), "missing_field: name: is required (offset 0)");
	CHECK_TEXT(reads(&test, "{\"name\":null}"), "bad_type: name: a string expected, not null (offset 8)");
	CHECK_TEXT(reads(&test, "{\"name\":\"a\",\"nme\":1}"), "unknown_field: nme: unknown field (offset 12)");
	CHECK_TEXT(reads(&test, "{\"name\":\"a\",\"name\":\"b\"}"),
		   "bad_json: name: the key is there twice (offset 12)");
	CHECK_TEXT(reads(&test, "{\"name\":\"a\",\"inner\":{\"y\":1}}"),
		   "unknown_field: inner.y: unknown field (offset 21)");
	CHECK_TEXT(reads(&test, "{\"name\":\"a\",\"inner\":{}}"), "missing_field: inner.x: is required (offset 21)");
	CHECK_TEXT(reads(&test, "[1]"), "bad_type: an object expected, not an array (offset 0)");
	CHECK_TEXT(reads(&test, "{\"name\":\"a\"} x"), "bad_json: something after the value (offset 13)");
	CHECK_TEXT(reads(&test, "{\"name\":\"a\""), "bad_json: the object has no end (offset 11)");
	CHECK_TEXT(reads(&test, "{\"name\":\"\\q\"}"), "bad_json: unknown escape (offset 9)");
	CHECK_TEXT(reads(&test, "{\"name\":1}"), "bad_type: name: a string expected, not a number (offset 8)");
	CHECK_TEXT(reads(&test, "{\"name\":\"a\",\"age\":3.0}"),
		   "bad_type: age: an integer expected, not 3.0 (offset 18)");
	CHECK_TEXT(reads(&test, "{\"name\":\"a\",\"age\":99999999999999999999}"),
		   "bad_value: age: integer out of 64-bit range (offset 18)");
	close_case(&test);
}

TEST(values_are_checked)
{
	struct schema_case test;
	open_case(&test,
		  "{ list = { array = { fields = { sku = { type = 'string', pattern = '^%u+$', min_length = 2, "
		  "max_length = 3 }, "
		  "n = { type = 'integer', min = 1, max = 9 } } }, min_items = 1, max_items = 2, optional = true }, "
		  "at = 'time?', id = 'uuid?', map = { map = 'integer', optional = true }, free = 'object?', "
		  "rate = { type = 'number', minimum = 0.5, maximum = 2, optional = true }, yes = { type = 'boolean', "
		  "default = false }, "
		  "any = 'any?', day = { type = 'string', format = 'date', optional = true }, "
		  "mail = { type = 'string', format = 'email', optional = true }, pick = { enum = { 1, 2 }, optional = "
		  "true }, "
		  "when = { type = 'string', format = 'date-time', optional = true }, "
		  "ref = { type = 'string', format = 'uuid', optional = true }, "
		  "some = { array = 'string?', optional = true } }");
	CHECK_TEXT(reads(&test, "{}"), "{\"yes\":false}");
	CHECK_TEXT(reads(&test, "{\"yes\":true,\"list\":[{\"sku\":\"AB\",\"n\":1}],\"at\":\"2024-01-01T00:00:00Z\","
				"\"map\":{\"z\":1,\"a\":2},"
				"\"free\":{\"x\":[]},\"rate\":1,\"any\":[1,{\"q\":null}],\"day\":\"2024-02-29\","
				"\"mail\":\"a@b.de\",\"pick\":2,"
				"\"id\":\"AAAAAAAA-0000-4000-8000-00000000000F\",\"some\":[\"a\",null]}"),
		   "{\"any\":[1,{\"q\":null}],\"at\":1704067200000000,\"day\":\"2024-02-29\",\"free\":{\"x\":[]},"
		   "\"id\":\"aaaaaaaa-0000-4000-8000-00000000000f\",\"list\":[{\"n\":1,\"sku\":\"AB\"}],\"mail\":\"a@b."
		   "de\","
		   "\"map\":{\"a\":2,\"z\":1},\"pick\":2,\"rate\":1,\"some\":[\"a\",null],\"yes\":true}");
	CHECK_TEXT(test.stored, test.text);
	CHECK(strstr(test.wire, "\"at\":\"2024-01-01T00:00:00.000000Z\"") != NULL);
	CHECK_TEXT(reads(&test, "{\"list\":[]}"), "bad_value: list: at least 1 item (offset 8)");
	CHECK_TEXT(reads(&test, "{\"list\":{}}"), "bad_type: list: an array expected, not an object (offset 8)");
	CHECK_TEXT(reads(&test, "{\"list\":[{\"sku\":\"AB\",\"n\":1},{\"sku\":\"ab\",\"n\":1}]}"),
		   "bad_value: list[1].sku: must match ^%u+$ (offset 35)");
	CHECK_TEXT(reads(&test, "{\"list\":[{\"sku\":\"A\",\"n\":1}]}"),
		   "bad_value: list[0].sku: at least 2 characters (offset 16)");
	CHECK_TEXT(reads(&test, "{\"list\":[{\"sku\":\"\xc3\x84\xc3\x84\xc3\x84\xc3\x84\",\"n\":1}]}"),
		   "bad_value: list[0].sku: at most 3 characters (offset 16)");
	CHECK_TEXT(reads(&test, "{\"list\":[{\"sku\":\"AB\",\"n\":10}]}"),
		   "bad_value: list[0].n: at most 9 (offset 25)");
	CHECK_TEXT(reads(&test, "{\"list\":[{\"sku\":\"AB\",\"n\":0}]}"),
		   "bad_value: list[0].n: at least 1 (offset 25)");
	CHECK_TEXT(reads(&test, "{\"at\":\"yesterday\"}"),
		   "bad_value: at: not an ISO 8601 time such as 2026-11-21T10:00:00Z (offset 6)");
	CHECK_TEXT(reads(&test, "{\"at\":\"9999-12-31T23:59:59-05:00\"}"),
		   "bad_value: at: the time lies outside of the years 1 to 9999 (offset 6)");
	CHECK_TEXT(reads(&test, "{\"at\":\"0001-01-01T00:00:00+01:00\"}"),
		   "bad_value: at: the time lies outside of the years 1 to 9999 (offset 6)");
	CHECK_TEXT(reads(&test, "{\"at\":5}"),
		   "bad_type: at: a time (ISO 8601 text) expected, not a number (offset 6)");
	CHECK_TEXT(reads(&test, "{\"id\":\"x\"}"), "bad_value: id: not a UUID (offset 6)");
	CHECK_TEXT(reads(&test, "{\"ref\":\"x\"}"), "bad_value: ref: not a UUID (offset 7)");
	CHECK_TEXT(reads(&test, "{\"when\":\"2024-01-01\"}"), "bad_value: when: not an ISO 8601 time (offset 8)");
	CHECK_TEXT(reads(&test, "{\"mail\":\"x\"}"), "bad_value: mail: not an e-mail address (offset 8)");
	CHECK_TEXT(reads(&test, "{\"mail\":\"x@y\"}"), "bad_value: mail: not an e-mail address (offset 8)");
	CHECK_TEXT(reads(&test, "{\"day\":\"2023-02-29\"}"),
		   "bad_value: day: not a date such as 2026-11-21 (offset 7)");
	CHECK_TEXT(reads(&test, "{\"pick\":3}"), "bad_value: pick: must be one of 1, 2 (offset 8)");
	CHECK_TEXT(reads(&test, "{\"rate\":0.25}"), "bad_value: rate: at least 0.5 (offset 8)");
	CHECK_TEXT(reads(&test, "{\"rate\":3}"), "bad_value: rate: at most 2 (offset 8)");
	CHECK_TEXT(reads(&test, "{\"free\":[]}"), "bad_type: free: an object expected, not an array (offset 8)");
	CHECK_TEXT(reads(&test, "{\"yes\":1}"), "bad_type: yes: true or false expected, not a number (offset 7)");
	CHECK_TEXT(reads(&test, "{\"map\":{\"a\":1,\"a\":2}}"), "bad_json: map.a: the key is there twice (offset 14)");
	CHECK_TEXT(reads(&test, "{\"map\":{\"a\":\"b\"}}"),
		   "bad_type: map.a: an integer expected, not a string (offset 12)");
	close_case(&test);
}

TEST(written_values_are_checked)
{
	struct schema_case test;
	open_case(&test,
		  "{ name = 'string', n = 'integer?', list = { array = 'integer', optional = true }, "
		  "map = { map = 'money', optional = true }, at = 'time?', free = 'object?', any = 'any?', cash = "
		  "'money?', "
		  "tag = { type = 'string', default = 'none' }, ok = 'boolean?', rate = 'number?', id = 'uuid?' }");
	CHECK_TEXT(writes(&test, "{ name = 'a' }"), "{\"name\":\"a\",\"tag\":\"none\"}");
	CHECK_TEXT(writes(&test, "{ name = 'a', n = json.null, list = {}, free = {}, any = {} }"),
		   "{\"any\":{},\"free\":{},\"list\":[],\"name\":\"a\",\"tag\":\"none\"}");
	CHECK_TEXT(
		writes(&test, "{ name = 'a', cash = 5, map = { b = 7, a = 12345 }, at = 0, ok = false, rate = 1.0 }"),
		"{\"at\":\"1970-01-01T00:00:00.000000Z\",\"cash\":0.05,\"map\":{\"a\":123.45,\"b\":0.07},\"name\":"
		"\"a\",\"ok\":false,"
		"\"rate\":1.0,\"tag\":\"none\"}");
	CHECK_TEXT(writes(&test, "{}"), "missing_field: name: is required");
	CHECK_TEXT(writes(&test, "{ name = 'a', nme = 1 }"), "unknown_field: nme: unknown field");
	CHECK_TEXT(writes(&test, "{ name = 'a', [1] = 1 }"), "bad_type: an object cannot have a key of type number");
	CHECK_TEXT(writes(&test, "{ name = 5 }"), "bad_type: name: a string expected, not a number");
	CHECK_TEXT(writes(&test, "{ name = json.null }"), "missing_field: name: is required");
	CHECK_TEXT(writes(&test, "{ name = 'a', n = 10 / 2 }"), "bad_type: n: an integer expected, not the float 5");
	CHECK_TEXT(writes(&test, "{ name = 'a', cash = 1.5 }"),
		   "bad_type: cash: an amount expected, not the float 1.5");
	CHECK_TEXT(writes(&test, "{ name = 'a', list = { 1, 'x' } }"),
		   "bad_type: list[2]: an integer expected, not a string");
	CHECK_TEXT(writes(&test, "{ name = 'a', list = { a = 1 } }"),
		   "bad_type: list: an array expected, not a table with text keys");
	CHECK_TEXT(writes(&test, "{ name = 'a', free = json.array() }"),
		   "bad_type: free: an object expected, not a table");
	CHECK_TEXT(writes(&test, "{ name = 'a', any = print }"), "bad_value: any: a function has no JSON form");
	CHECK_TEXT(writes(&test, "{ name = 'a', rate = 0 / 0 }"), "bad_value: rate: NaN has no JSON form");
	CHECK_TEXT(writes(&test, "{ name = '\\xff' }"), "bad_value: name: the string is not UTF-8");
	CHECK_TEXT(writes(&test, "{ name = 'a', ok = 1 }"), "bad_type: ok: true or false expected, not a number");
	CHECK_TEXT(writes(&test, "{ name = 'a', id = 'x' }"), "bad_value: id: not a UUID");
	CHECK_TEXT(writes(&test, "{ name = 'a', at = 1 << 62 }"),
		   "bad_value: at: the time lies outside of the years 1 to 9999");
	CHECK_TEXT(writes(&test, "5"), "bad_type: an object expected, not a number");
	CHECK_TEXT(writes(&test, "(function() local t = { name = 'a' } t.any = t return t end)()"),
		   "json_limit: "
		   "any.any.any.any.any.any.any.any.any.any.any.any.any.any.any.any.any.any.any.any.any.any.any.any."
		   "any.any."
		   "any.any.any.any.any.any.any.any.any.any.any.any.any.any: nested deeper than 64 (a table that holds "
		   "itself?)");
	close_case(&test);
}

TEST(parameters_and_lifted_members)
{
	struct schema_case test;
	static const struct script_param params[] = { { { "id", 2 }, { "42", 2 } },
						      { { "amount", 6 }, { "1.50", 4 } },
						      { { "other", 5 }, { "x", 1 } } };
	struct schema_lift lift = { .name = SLICE("expectedVersion") };
	open_case(&test, "{ id = 'integer', amount = 'money', note = 'string?' }");
	test.context.params = params;
	test.context.param_count = 3;
	CHECK_TEXT(reads(&test, ""), "{\"amount\":150,\"id\":42}");
	CHECK_TEXT(reads(&test, "{\"id\":42,\"note\":\"n\"}"), "{\"amount\":150,\"id\":42,\"note\":\"n\"}");
	CHECK_TEXT(reads(&test, "{\"id\":7,\"note\":\"n\"}"), "bad_value: id: not what the path says");
	CHECK_TEXT(reads(&test, "{\"amount\":1.50}"), "{\"amount\":150,\"id\":42}");
	CHECK_TEXT(reads(&test, "{\"amount\":9.50}"), "bad_value: amount: not what the path says");
	CHECK_TEXT(reads(&test, "{\"expectedVersion\":3}"), "unknown_field: expectedVersion: unknown field (offset 1)");
	test.context.lift = &lift;
	CHECK_TEXT(reads(&test, "{\"expectedVersion\":3}"), "{\"amount\":150,\"id\":42}");
	CHECK(lift.found);
	CHECK_INT(lift.expected.kind, EXPECTED_EXACTLY);
	CHECK_INT(lift.expected.version, 3);
	lift.found = false;
	CHECK_TEXT(reads(&test, "{\"expectedVersion\":null}"), "{\"amount\":150,\"id\":42}");
	CHECK(!lift.found);
	CHECK_TEXT(reads(&test, "{\"expectedVersion\":-1}"), "bad_value: expectedVersion: at least 0 (offset 19)");
	static const char *const words[] = { "any", "no_stream", "stream_exists" };
	for (size_t i = 0; i < 3; i++) {
		char body[64];
		snprintf(body, sizeof body, "{\"expectedVersion\":\"%s\"}", words[i]);
		CHECK_TEXT(reads(&test, body), "{\"amount\":150,\"id\":42}");
		CHECK_INT(lift.expected.kind, i);
	}
	CHECK_TEXT(reads(&test, "{\"expectedVersion\":\"3\"}"),
		   "bad_value: expectedVersion: a version, \"any\", \"no_stream\" or \"stream_exists\" expected "
		   "(offset 19)");
	CHECK_TEXT(reads(&test, "{\"expectedVersion\":true}"),
		   "bad_type: expectedVersion: an integer expected, not a boolean (offset 19)");
	test.context.lift = NULL;
	test.context.params_known = true;
	CHECK_TEXT(reads(&test, ""), "unknown_parameter: other: there is no such parameter");
	test.context.params_known = false;
	static const struct script_param bad[] = { { { "id", 2 }, { "4x", 2 } } };
	test.context.params = bad;
	test.context.param_count = 1;
	CHECK_TEXT(reads(&test, ""), "bad_type: id: an integer expected");
	close_case(&test);
}

struct text_sample {
	const char *definition;
	const char *text;
	const char *wanted;
};

struct text_case {
	const struct text_sample *sample;
	struct arena arena;
	char result[700];
};

static int
text_body(lua_State *L)
{
	struct text_case *test = vm_request(L);
	struct schema *schema;
	struct schema_context context = { .mode = SCHEMA_WIRE };
	struct schema_trouble trouble;
	struct fault fault;
	push_value(L, test->sample->definition);
	if (schema_compile(L, -1, &test->arena, "q", &schema, &fault) != 0)
		vm_raise(L, &fault);
	if (schema_read_text(L, schema, slice_text(test->sample->text), &context, &trouble) != 0) {
		schema_fault(&trouble, FAULT_INPUT, &fault);
		lua_pushstring(L, fault.text);
	}
	sandbox_tostring(L, -1);
	snprintf(test->result, sizeof test->result, "%s", lua_tostring(L, -1));
	return 0;
}

TEST(texts_of_parameters)
{
	static const struct text_sample samples[] = {
		{ "'string'", "a", "a" },
		{ "'integer'", "-12", "-12" },
		{ "'integer'", "1.0", "an integer expected" },
		{ "'number'", "1.5", "1.5" },
		{ "'number'", "7", "7" },
		{ "'number'", "1e400", "a number expected" },
		{ "'number'", "x", "a number expected" },
		{ "'boolean'", "true", "true" },
		{ "'boolean'", "yes", "true or false expected" },
		{ "'money'", "12.34", "1234" },
		{ "'money'", "12.345", "at most 2 decimals in EUR" },
		{ "'time'", "1970-01-01T00:00:01Z", "1000000" },
		{ "'time'", "now", "not an ISO 8601 time such as 2026-11-21T10:00:00Z" },
		{ "'uuid'", "AAAAAAAA-0000-4000-8000-000000000000", "aaaaaaaa-0000-4000-8000-000000000000" },
		{ "'any'", "free", "free" },
		{ "{ array = 'string' }", "a", "an array cannot be given as a parameter" },
		{ "{ type = 'string', enum = { 'name', 'balance' } }", "x", "must be one of name, balance" },
		{ "{ type = 'integer', maximum = 10 }", "11", "at most 10" },
		{ "'string'", "\xff", "not UTF-8" },
	};
	for (size_t i = 0; i < countof(samples); i++) {
		struct lua_case run;
		struct text_case test = { .sample = &samples[i] };
		lua_case_open(&run, NULL);
		arena_init(&test.arena, 1 << 20);
		if (vm_protect(run.vm, text_body, &test, &run.fault) != 0)
			CHECK_FAIL("%s: %s", samples[i].definition, run.fault.text);
		CHECK_TEXT(test.result, samples[i].wanted);
		arena_fini(&test.arena);
		lua_case_close(&run);
	}
}

TEST(bad_schemas)
{
	static const struct {
		const char *definition;
		const char *reason;
	} cases[] = {
		{ "{ a = 'moneyy' }", "account.lua: data.a: unknown type 'moneyy'" },
		{ "{ a = 5 }", "data.a: a schema is a word such as \"string\" or a table" },
		{ "{ [1] = 'string' }", "data: a field's name must be text" },
		{ "{ a = { type = 'string', minimum = 3 } }", "data.a: minimum does not fit the type" },
		{ "{ a = { type = 'integer', minimum = 1.5 } }", "data.a: minimum does not fit the type" },
		{ "{ a = { type = 'integer', min = 1, minimum = 1 } }", "there twice" },
		{ "{ a = { type = 'integer', min_length = 1 } }", "data.a: min_length does not fit the type" },
		{ "{ a = { type = 'string', max_items = 1 } }", "data.a: max_items does not fit the type" },
		{ "{ a = { type = 'string', max_length = -1 } }", "max_length must be an integer from 0" },
		{ "{ a = { typ = 'string' } }", "data.a: unknown word 'typ' in a schema" },
		{ "{ a = {} }", "data.a: a schema needs type, array, map, fields or enum" },
		{ "{ a = 'array' }", "an array or map says of what" },
		{ "{ a = { type = 'map' } }", "an array or map says of what" },
		{ "{ a = { type = 'string', fields = {} } }", "type contradicts" },
		{ "{ a = { array = 'x' } }", "data.a.[]: unknown type 'x'" },
		{ "{ a = { fields = { b = { map = { fields = { c = 'q' } } } } } }",
		  "data.a.b.[].c: unknown type 'q'" },
		{ "{ a = { type = 'string', default = 3 } }", "data.a: default: a string expected, not a number" },
		{ "{ a = { type = 'string', enum = { 'x' }, default = 'y' } }", "data.a: default: must be one of x" },
		{ "{ a = { type = 'string', enum = { 1 } } }", "each choice must be of the schema's type" },
		{ "{ a = { type = 'string', enum = {} } }", "enum has no choices" },
		{ "{ a = { type = 'number', enum = { 1.5 } } }", "enum is a list of texts or integers" },
		{ "{ a = { type = 'string', pattern = '[a' } }", "data.a: pattern: malformed pattern (missing ']')" },
		{ "{ a = { type = 'integer', pattern = 'a' } }", "pattern is a text, for strings" },
		{ "{ a = { type = 'string', format = 'ipv4' } }", "unknown format 'ipv4'" },
		{ "{ a = { type = 'string', optional = 'yes' } }", "optional is true or false" },
		{ "{ a = { type = 'string', currency = 'c' } }", "currency names the field beside an amount" },
		{ "{ a = { type = 5 } }", "type must be a word" },
		{ "{ a = { 'string' } }", "a schema's keys are words" },
		{ "{ a = '' }", "unknown type ''" },
		{ "{ a = { type = 'time', minimum = 'soon' } }", "minimum does not fit the type" },
		{ "{ a = { type = 'string', format = 5 } }", "format is a word, for strings" },
		{ "{ a = { type = 'string', pattern = 5 } }", "pattern is a text, for strings" },
		{ "{ a = { enum = 5 } }", "needs type, array, map, fields or enum" },
		{ "{ a = { type = 'string', enum = 5 } }", "enum is a list of texts or integers" },
		{ "{ a = { type = 'money', default = 1.5 } }", "default: an amount expected, not the float 1.5" },
		{ "(function() local t = {} for i = 1, 257 do t['f' .. i] = 'any' end return t end)()",
		  "more than 256 fields" },
		{ "(function() local t = {} for i = 1, 33 do t['f' .. i] = 'money' end return t end)()",
		  "more than 32 money fields" },
		{ "{ a = { fields = 5 } }", "fields must be a table" },
		{ "(function() local t = { type = 'object' } t.fields = { t = t } return { t = t } end)()",
		  "nested too deeply" },
		{ "'string'", "fields must be a table" },
	};
	for (size_t i = 0; i < countof(cases); i++) {
		struct schema_case test;
		open_case(&test, cases[i].definition);
		if (strstr(test.text, cases[i].reason) == NULL || strncmp(test.text, "bad_schema: ", 12) != 0)
			CHECK_FAIL("%s: %s, not: %s", cases[i].definition, test.text, cases[i].reason);
		close_case(&test);
	}
}

TEST(nulls)
{
	struct schema_case test;
	open_case(&test, "{ must = 'any', may = 'any?', map = { map = 'integer?', optional = true } }");
	CHECK_TEXT(reads(&test, "{\"must\":null,\"may\":null,\"map\":{\"a\":null,\"b\":1}}"),
		   "{\"map\":{\"a\":null,\"b\":1},\"must\":null}");
	CHECK_TEXT(test.stored, test.text);
	CHECK_TEXT(test.wire, test.text);
	CHECK_TEXT(reads(&test, "{\"must\":nul}"), "bad_json: a value expected (offset 8)");
	CHECK_TEXT(reads(&test, "{\"must\":1,\"may\":nul}"), "bad_json: a value expected (offset 16)");
	CHECK_TEXT(reads(&test, "{\"must\":1,\"map\":{\"a\":nul}}"), "bad_json: a value expected (offset 21)");
	CHECK_TEXT(writes(&test, "{ must = json.null, may = json.null, map = { x = json.null } }"),
		   "{\"map\":{\"x\":null},\"must\":null}");
	CHECK_TEXT(writes(&test, "{}"), "missing_field: must: is required");
	close_case(&test);
}

struct whole_case {
	const char *definition;
	const char *bytes;
	char text[700];
	struct arena arena;
};

static int
whole_body(lua_State *L)
{
	struct whole_case *test = vm_request(L);
	struct schema *schema;
	struct schema_context context = { .mode = SCHEMA_WIRE };
	struct schema_trouble trouble;
	struct fault fault;
	struct buf out;
	push_value(L, test->definition);
	if (schema_compile(L, -1, &test->arena, "account.lua: reply", &schema, &fault) != 0)
		vm_raise(L, &fault);
	buf_init(&out, 1 << 20);
	if (schema_read(L, schema, slice_text(test->bytes), &context, &trouble) != 0 ||
	    schema_write(L, -1, schema, &context, &out, &trouble) != 0) {
		schema_fault(&trouble, FAULT_INPUT, &fault);
		snprintf(test->text, sizeof test->text, "%s", fault.text);
	} else {
		snprintf(test->text, sizeof test->text, "%.*s", SLICE_ARG(buf_slice(&out)));
	}
	buf_fini(&out);
	return 0;
}

TEST(schemas_that_are_no_objects)
{
	static const struct {
		const char *definition;
		const char *bytes;
		const char *wanted;
	} cases[] = {
		{ "'string'", " \"a\" ", "\"a\"" },
		{ "'money'", "1.50", "1.50" },
		{ "'money'", "1.505", "at most 2 decimals in EUR (offset 0)" },
		{ "{ type = 'money', currency = 'JPY' }", "150", "150" },
		{ "{ array = 'money' }", "[1,2.5]", "[1.00,2.50]" },
		{ "{ array = { fields = { at = 'time' } } }", "[{\"at\":\"2024-01-01\"}]",
		  "[{\"at\":\"2024-01-01T00:00:00.000000Z\"}]" },
		{ "{ map = 'money' }", "{\"b\":1,\"a\":2}", "{\"a\":2.00,\"b\":1.00}" },
		{ "'any?'", "null", "null" },
		{ "'object'", "{\"a\":[]}", "{\"a\":[]}" },
		{ "'boolean'", "true", "true" },
		{ "'boolean'", "tru", "a value expected (offset 0)" },
		{ "'integer'", "-", "a digit expected after '-' (offset 0)" },
		{ "'number'", "1e400", "out of range (offset 0)" },
		{ "'string'", "\"a", "string without end (offset 0)" },
		{ "{ array = 'integer' }", "[1", "the array has no end (offset 2)" },
		{ "{ map = 'integer' }", "{\"a\":1", "the object has no end (offset 6)" },
		{ "{ map = 'integer' }", "{\"a\" 1}", "':' expected (offset 5)" },
		{ "{ map = 'integer' }", "[]", "an object expected, not an array (offset 0)" },
		{ "'integer'", "", "the text ends too early (offset 0)" },
	};
	for (size_t i = 0; i < countof(cases); i++) {
		struct lua_case run;
		struct whole_case test = { .definition = cases[i].definition, .bytes = cases[i].bytes };
		lua_case_open(&run, NULL);
		arena_init(&test.arena, 1 << 20);
		if (vm_protect(run.vm, whole_body, &test, &run.fault) != 0)
			CHECK_FAIL("%s: %s", cases[i].definition, run.fault.text);
		CHECK_TEXT(test.text, cases[i].wanted);
		arena_fini(&test.arena);
		lua_case_close(&run);
	}
}

TEST(bounds_in_time_and_money)
{
	struct schema_case test;
	open_case(&test,
		  "{ at = { type = 'time', minimum = '2024-01-01', maximum = 1735689600000000, optional = true }, "
		  "fee = { type = 'money', max = 1000, optional = true }, one = { type = 'string', max_length = 1, "
		  "optional = true } }");
	CHECK_TEXT(test.text, "");
	CHECK_TEXT(reads(&test, "{\"at\":\"2023-12-31\"}"),
		   "bad_value: at: at least 2024-01-01T00:00:00.000000Z (offset 6)");
	CHECK_TEXT(reads(&test, "{\"at\":\"2025-01-02\"}"),
		   "bad_value: at: at most 2025-01-01T00:00:00.000000Z (offset 6)");
	CHECK_TEXT(reads(&test, "{\"fee\":10.01}"), "bad_value: fee: at most 10.00 EUR (offset 7)");
	CHECK_TEXT(reads(&test, "{\"one\":\"ab\"}"), "bad_value: one: at most 1 character (offset 7)");
	CHECK_TEXT(writes(&test, "{ fee = 1001 }"), "bad_value: fee: at most 10.00 EUR");
	CHECK_TEXT(writes(&test, "{ at = 5 }"), "bad_value: at: at least 2024-01-01T00:00:00.000000Z");
	CHECK_TEXT(writes(&test, "{ at = 'soon' }"), "bad_type: at: a time expected, not a string");
	CHECK_TEXT(writes(&test, "{ one = 'ab' }"), "bad_value: one: at most 1 character");
	close_case(&test);
}

TEST(no_fields_refuse_all)
{
	struct schema_case test;
	open_case(&test, "nil");
	CHECK_TEXT(test.text, "");
	CHECK_TEXT(reads(&test, "{}"), "{}");
	CHECK_TEXT(reads(&test, ""), "{}");
	CHECK_TEXT(reads(&test, "{\"a\":1}"), "unknown_field: a: unknown field (offset 1)");
	close_case(&test);
}

TEST_MAIN()
