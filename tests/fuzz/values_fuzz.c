/* SPDX-License-Identifier: MIT */
/*
 * Any bytes into the scanner and the parsers of base and model. Checked for each input:
 *  - what json_check accepts can be walked to its end; its strings, decoded and quoted again, decode to the same
 *  - what it refuses it refuses at an offset inside of the input
 *  - a name, time, id or number that is accepted is written back as what was read
 */
#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "fuzz/mutate.h"
#include "model/stream.h"

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "values_fuzz: not so: %s (line %d)\n", #condition, __LINE__);                  \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_string(struct json_value value)
{
	struct buf text, quoted, again;
	struct json_value back;

	buf_init(&text, 1 << 20);
	buf_init(&quoted, 8 << 20);
	buf_init(&again, 1 << 20);
	json_decode(value, &text);
	REQUIRE(json_utf8(buf_slice(&text)));
	json_quote(&quoted, buf_slice(&text));
	REQUIRE(json_check(buf_slice(&quoted), &back, NULL) == 0 && back.kind == JSON_STRING);
	json_decode(back, &again);
	REQUIRE(slice_equal(buf_slice(&text), buf_slice(&again)));
	buf_fini(&text);
	buf_fini(&quoted);
	buf_fini(&again);
}

static void
walk(struct json_value value, int depth)
{
	struct json_iter iter;
	struct json_value item;
	struct slice key;
	uint64_t natural;
	int64_t integer;

	REQUIRE(depth <= JSON_DEPTH_MAX);
	if (value.kind == JSON_STRING)
		check_string(value);
	if (json_to_i64(value, &integer) && integer >= 0 && value.raw.data[0] != '-')
		REQUIRE(json_to_u64(value, &natural) && natural == (uint64_t)integer);
	json_iter(&iter, value);
	while (json_next(&iter, &key, &item))
		walk(item, depth + 1);
}

static void
check_json(struct slice text)
{
	struct json_value value;
	struct fault fault;

	if (json_check(text, &value, &fault) == 0) {
		walk(value, 0);
		return;
	}
	const char *place = strstr(fault.text, "byte ");
	REQUIRE(fault.class == FAULT_INPUT && place != NULL);
	REQUIRE(strtoull(place + 5, NULL, 10) <= text.size);
}

static void
check_time(struct slice text)
{
	char copy[64], written[CLOCK_TEXT_SIZE];
	int64_t wall_us, back;

	if (text.size >= sizeof(copy))
		return;
	memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	if (clock_parse(copy, &wall_us) != 0 || wall_us < -62167219200000000 || wall_us > 253402300799999999)
		return;
	clock_format(wall_us, written);
	REQUIRE(clock_parse(written, &back) == 0 && back == wall_us);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_from(data, size);
	struct stream_name name;
	struct fault fault;
	struct id id, back;
	char written[ID_TEXT_SIZE];

	check_json(text);
	check_time(text);
	if (stream_parse(text, &name, &fault) == 0)
		REQUIRE(name.domain.size + name.aggregate.size + name.id.size + 2 == size && size < STREAM_NAME_MAX);
	if (id_parse(text, &id) == 0) {
		id_format(&id, written);
		REQUIRE(id_parse(slice_text(written), &back) == 0 && memcmp(&id, &back, sizeof(id)) == 0);
	}
	return 0;
}

#ifndef MOONLOG_LIBFUZZER

int
main(int argc, char **argv)
{
	static const struct mutate_seed seeds[] = {
		SEED("{\"a\":1,\"b\":[1,2.5,-3e10,true,false,null],\"c\":{\"d\":\"e\"}}"),
		SEED("\"\\u00e9\\ud83d\\ude00\\n\\\\\\\"\\/\xc3\xa9\xf0\x9f\x98\x80\""),
		SEED("[[],{},[{}],[[[[[[1]]]]]]]"),
		SEED("2026-11-21T10:00:00.123456+02:00"),
		SEED("banking.account/DE12:a.b_c~d@e-f"),
		SEED("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
		SEED("-9223372036854775808"),
	};
	return mutate_main(argc, argv, seeds, sizeof seeds / sizeof seeds[0], "{}[]\",:\\u019.eE+-tfnTZ/ \x80\xc3",
			   LLVMFuzzerTestOneInput);
}

#endif
