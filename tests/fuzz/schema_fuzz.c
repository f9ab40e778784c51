/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a request against a schema with everything in it. Checked for each input that is accepted:
 *  - what was read fits the schema when it is written, in both forms
 *  - each form reads back to the same value: amounts and times lose nothing on the wire
 * and for each refused one that the trouble names an offset inside of the input and nothing stays on the stack.
 */
#include <lauxlib.h>

#include "fuzz/mutate.h"
#include "script/lua/sandbox.h"
#include "script/lua/schema.h"
#include "script/lua/vm.h"

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "schema_fuzz: not so: %s (line %d)\n", #condition, __LINE__);                  \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char definition[] =
	"return {\n"
	"  amount = { type = 'money', minimum = -100, maximum = 1000000 }, fee = { type = 'money', currency = 'other', "
	"optional = true },\n"
	"  yen = { type = 'money', currency = 'JPY', optional = true }, lone = { array = 'money', optional = true },\n"
	"  currency = { type = 'string', enum = { 'EUR', 'JPY', 'KWD' }, default = 'EUR' }, other = 'string?',\n"
	"  at = 'time?', id = 'uuid?', any = 'any?', free = 'object?', yes = { type = 'boolean', default = true },\n"
	"  rate = { type = 'number', minimum = -5, maximum = 5, optional = true },\n"
	"  list = { array = { fields = { sku = { type = 'string', pattern = '^%u+$', max_length = 4 }, n = { type = "
	"'integer', min = 1 },\n"
	"           price = 'money?' } }, max_items = 3, optional = true },\n"
	"  map = { map = { array = 'integer?', min_items = 1 }, optional = true }, pick = { enum = { 1, 2, 3 }, "
	"optional = true },\n"
	"  mail = { type = 'string', format = 'email', optional = true }, day = { type = 'string', format = 'date', "
	"optional = true },\n"
	"}\n";

static struct arena arena;
static struct schema *schema;

static int
compile_body(lua_State *L)
{
	struct fault fault;
	REQUIRE(sandbox_load(L, SLICE("schema.lua"), slice_text(definition)) == LUA_OK);
	lua_call(L, 0, 1);
	REQUIRE(schema_compile_fields(L, -1, &arena, "schema.lua", &schema, &fault) == 0);
	return 0;
}

struct trial {
	struct slice text;
	struct buf stored;
	struct buf wire;
	struct buf again;
};

static void
write_as(lua_State *L, enum schema_mode mode, struct buf *out)
{
	struct schema_context context = { .mode = mode };
	struct schema_trouble trouble;
	buf_clear(out);
	if (schema_write(L, -1, schema, &context, out, &trouble) != 0) {
		fprintf(stderr, "schema_fuzz: read but not written: %s: %s: %s\n", trouble.code, trouble.path,
			trouble.reason);
		abort();
	}
}

static int
trial_body(lua_State *L)
{
	struct trial *trial = vm_request(L);
	struct schema_context wire = { .mode = SCHEMA_WIRE }, stored = { .mode = SCHEMA_STORED };
	struct schema_trouble trouble;
	if (schema_read(L, schema, trial->text, &wire, &trouble) != 0) {
		REQUIRE(lua_gettop(L) == 1);
		REQUIRE(trouble.code[0] != '\0' && trouble.reason[0] != '\0');
		REQUIRE(trouble.offset >= 0 && (size_t)trouble.offset <= trial->text.size);
		return 0;
	}
	write_as(L, SCHEMA_STORED, &trial->stored);
	write_as(L, SCHEMA_WIRE, &trial->wire);
	REQUIRE(schema_read(L, schema, buf_slice(&trial->stored), &stored, &trouble) == 0);
	write_as(L, SCHEMA_STORED, &trial->again);
	REQUIRE(slice_equal(buf_slice(&trial->stored), buf_slice(&trial->again)));
	REQUIRE(schema_read(L, schema, buf_slice(&trial->wire), &wire, &trouble) == 0);
	write_as(L, SCHEMA_STORED, &trial->again);
	REQUIRE(slice_equal(buf_slice(&trial->stored), buf_slice(&trial->again)));
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm *vm;
	struct fault fault;
	struct trial trial = { .text = slice_from(data, size) };
	if (vm == NULL) {
		arena_init(&arena, 1 << 20);
		REQUIRE(vm_new(NULL, NULL, NULL, &vm, &fault) == 0);
		REQUIRE(vm_protect(vm, compile_body, NULL, &fault) == 0);
	}
	buf_init(&trial.stored, 8 << 20);
	buf_init(&trial.wire, 8 << 20);
	buf_init(&trial.again, 8 << 20);
	REQUIRE(vm_protect(vm, trial_body, &trial, &fault) == 0);
	buf_fini(&trial.stored);
	buf_fini(&trial.wire);
	buf_fini(&trial.again);
	return 0;
}

#ifndef MOONLOG_LIBFUZZER

int
main(int argc, char **argv)
{
	static const struct mutate_seed seeds[] = {
		SEED("{\"amount\":500.00}"),
		SEED("{\"currency\":\"JPY\",\"amount\":500,\"fee\":1.25,\"other\":\"EUR\",\"yen\":7}"),
		SEED("{\"amount\":1.234,\"currency\":\"KWD\",\"lone\":[1,2.50,-3]}"),
		SEED("{\"amount\":1,\"at\":\"2024-02-29T12:30:00.123456+02:00\",\"day\":\"2024-02-29\"}"),
		SEED("{\"amount\":1,\"id\":\"AAAAAAAA-0000-4000-8000-00000000000F\",\"any\":[{\"a\":null}],\"free\":{"
		     "\"x\":[]}}"),
		SEED("{\"amount\":1,\"list\":[{\"sku\":\"AB\",\"n\":1},{\"n\":2,\"sku\":\"C\",\"price\":9.99}],"
		     "\"rate\":-1.5e0}"),
		SEED("{\"amount\":1,\"map\":{\"b\":[1,null],\"a\":[2]},\"pick\":2,\"mail\":\"a@b.de\",\"yes\":false}"),
		SEED("{\"amount\":null,\"fee\":null,\"list\":null,\"map\":{}}"),
	};
	return mutate_main(argc, argv, seeds, sizeof seeds / sizeof seeds[0], "{}[]\",:.0123456789-+eEntfABZT\\u @",
			   LLVMFuzzerTestOneInput);
}

#endif
