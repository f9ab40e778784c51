/* SPDX-License-Identifier: MIT */
/*
 * Any bytes into the codec. Checked for each input that is accepted:
 *  - the scanner of base accepts it too
 *  - what is written reads back and writes the same bytes again
 * and for each refused one that the fault names an offset inside of the input and nothing stays on the stack.
 */
#include <lua.h>

#include "base/json.h"
#include "fuzz/mutate.h"
#include "script/lua/json.h"
#include "script/lua/vm.h"

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "json_fuzz: not so: %s (line %d)\n", #condition, __LINE__);                    \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct trial {
	struct slice text;
	struct buf first;
	struct buf second;
};

static void
check_refusal(const struct fault *fault, size_t size)
{
	const char *place = strstr(fault->text, "offset ");
	REQUIRE(place != NULL);
	REQUIRE(strtoull(place + 7, NULL, 10) <= size);
	REQUIRE(fault->class == FAULT_INPUT || fault->class == FAULT_LIMIT);
}

static int
trial_body(lua_State *L)
{
	struct trial *trial = vm_request(L);
	struct fault fault;
	struct json_value value;
	int top = lua_gettop(L);
	if (json_read(L, trial->text, NULL, &fault) != 0) {
		REQUIRE(lua_gettop(L) == top);
		check_refusal(&fault, trial->text.size);
		return 0;
	}
	REQUIRE(lua_gettop(L) == top + 1);
	REQUIRE(json_check(trial->text, &value, &fault) == 0);
	REQUIRE(json_write(L, -1, &trial->first, NULL, &fault) == 0);
	REQUIRE(json_read(L, buf_slice(&trial->first), NULL, &fault) == 0);
	REQUIRE(json_write(L, -1, &trial->second, NULL, &fault) == 0);
	REQUIRE(slice_equal(buf_slice(&trial->first), buf_slice(&trial->second)));
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm *vm;
	struct fault fault;
	struct trial trial = { .text = slice_from(data, size) };
	if (vm == NULL)
		REQUIRE(vm_new(NULL, NULL, NULL, &vm, &fault) == 0);
	buf_init(&trial.first, 8 << 20);
	buf_init(&trial.second, 8 << 20);
	REQUIRE(vm_protect(vm, trial_body, &trial, &fault) == 0);
	buf_fini(&trial.first);
	buf_fini(&trial.second);
	return 0;
}

#ifndef MOONLOG_LIBFUZZER

int
main(int argc, char **argv)
{
	static const struct mutate_seed seeds[] = {
		SEED("{\"a\":1,\"b\":[1,2.5,-3e10,true,false,null],\"c\":{\"d\":\"e\"}}"),
		SEED("\"\\u00e9\\ud83d\\ude00\\n\\\\\\\"\\/\xc3\xa9\xf0\x9f\x98\x80\""),
		SEED("[0.1,0.30000000000000004,1e300,5e-324,123456.789,-0.0,0,9223372036854775807,-"
		     "9223372036854775808]"),
		SEED("[[],{},[{}],[[[[[[1]]]]]]]"),
		SEED("{\"b\":1,\"a\":2,\"\":3,\"aa\":4,\"a\\u0000\":5}"),
		SEED(" \t\r\n{ \"x\" : [ 1 , 2 ] } "),
		SEED("1.7976931348623157e308"),
	};
	return mutate_main(argc, argv, seeds, sizeof seeds / sizeof seeds[0], "{}[]\",:\\u019.eE+-tfn \x80\xc3",
			   LLVMFuzzerTestOneInput);
}

#endif
