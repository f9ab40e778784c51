/* SPDX-License-Identifier: MIT */
/* The scanner accepts RFC 8259 and nothing else, names the offset, and what it writes it reads back. */
#include "base/json.h"
#include "support/check.h"

static void
accepted(struct slice text, enum json_kind kind)
{
	struct json_value value;
	struct fault fault;

	if (json_check(text, &value, &fault) != 0)
		CHECK_FAIL("%.*s: refused: %s", SLICE_ARG(text), fault.text);
	CHECK_INT(value.kind, kind);
}

static void
refused(struct slice text, unsigned offset)
{
	struct json_value value;
	struct fault fault;
	char place[32];

	/* A copy of exact size lets the sanitizer see a read past the end. */
	char *copy = malloc(text.size + 1);
	memcpy(copy + 1, text.data, text.size);
	int result = json_check(slice_from(copy + 1, text.size), &value, &fault);
	free(copy);
	if (result == 0)
		CHECK_FAIL("accepted: %.*s", SLICE_ARG(text));
	CHECK_INT(fault.class, FAULT_INPUT);
	CHECK_TEXT(fault.code, "bad_json");
	snprintf(place, sizeof(place), "byte %u", offset);
	const char *found = strstr(fault.text, place);
	if (found == NULL || (found[strlen(place)] >= '0' && found[strlen(place)] <= '9'))
		CHECK_FAIL("%.*s: \"%s\" does not name byte %u", SLICE_ARG(text), fault.text, offset);
}

TEST(accepts_every_kind)
{
	accepted(SLICE("null"), JSON_NULL);
	accepted(SLICE("true"), JSON_TRUE);
	accepted(SLICE(" false "), JSON_FALSE);
	accepted(SLICE("\"\""), JSON_STRING);
	accepted(SLICE("[]"), JSON_ARRAY);
	accepted(SLICE("\t[ ]\r\n"), JSON_ARRAY);
	accepted(SLICE("{}"), JSON_OBJECT);
	accepted(SLICE("{ \"a\" : [ 1 , { \"b\" : null } ] , \"c\" : \"d\" }"), JSON_OBJECT);
}

TEST(accepts_the_grammar_of_numbers)
{
	accepted(SLICE("0"), JSON_NUMBER);
	accepted(SLICE("-0"), JSON_NUMBER);
	accepted(SLICE("10"), JSON_NUMBER);
	accepted(SLICE("-1.5"), JSON_NUMBER);
	accepted(SLICE("0.0"), JSON_NUMBER);
	accepted(SLICE("1e5"), JSON_NUMBER);
	accepted(SLICE("1E+5"), JSON_NUMBER);
	accepted(SLICE("1.25e-5"), JSON_NUMBER);
	accepted(SLICE("123456789012345678901234567890"), JSON_NUMBER);
}

TEST(refuses_other_numbers)
{
	refused(SLICE("01"), 1);
	refused(SLICE("-01"), 2);
	refused(SLICE("-"), 1);
	refused(SLICE("+1"), 0);
	refused(SLICE(".5"), 0);
	refused(SLICE("1."), 2);
	refused(SLICE("1.e1"), 2);
	refused(SLICE("1e"), 2);
	refused(SLICE("1e+"), 3);
	refused(SLICE("0x10"), 1);
	refused(SLICE("NaN"), 0);
	refused(SLICE("Infinity"), 0);
	refused(SLICE("-Infinity"), 1);
	refused(SLICE("1 2"), 2);
}

TEST(refuses_broken_structure_at_its_offset)
{
	refused(SLICE(""), 0);
	refused(SLICE("  "), 2);
	refused(SLICE("["), 1);
	refused(SLICE("{"), 1);
	refused(SLICE("[1"), 2);
	refused(SLICE("[1,"), 3);
	refused(SLICE("[1,]"), 3);
	refused(SLICE("[,1]"), 1);
	refused(SLICE("[1 2]"), 3);
	refused(SLICE("[1}"), 2);
	refused(SLICE("{\"a\"}"), 4);
	refused(SLICE("{\"a\":}"), 5);
	refused(SLICE("{\"a\":1,}"), 7);
	refused(SLICE("{\"a\" 1}"), 5);
	refused(SLICE("{a:1}"), 1);
	refused(SLICE("{1:1}"), 1);
	refused(SLICE("{\"a\":1]"), 6);
	refused(SLICE("]"), 0);
	refused(SLICE("tru"), 0);
	refused(SLICE("nul1"), 0);
	refused(SLICE("{} x"), 3);
	refused(SLICE("// c\n1"), 0);
	refused(SLICE("'a'"), 0);
	refused(SLICE("\xef\xbb\xbf{}"), 0);
	refused(SLICE("1\0"), 1);
	refused(SLICE("\v1"), 0);
}

TEST(refuses_broken_strings)
{
	refused(SLICE("\"abc"), 4);
	refused(SLICE("\"ab\\"), 4);
	refused(SLICE("\"a\nb\""), 2);
	refused(SLICE("\"a\tb\""), 2);
	refused(SLICE("\"a\0b\""), 2);
	refused(SLICE("\"\\x41\""), 2);
	refused(SLICE("\"\\u12\""), 3);
	refused(SLICE("\"\\u12g4\""), 3);
	refused(SLICE("\"\\u"), 3);
}

TEST(refuses_lone_surrogates)
{
	struct json_value value;

	CHECK(json_check(SLICE("\"\\ud83d\""), &value, NULL) != 0);
	CHECK(json_check(SLICE("\"\\ud83dx\""), &value, NULL) != 0);
	CHECK(json_check(SLICE("\"\\ud83d\\n\""), &value, NULL) != 0);
	CHECK(json_check(SLICE("\"\\ud83d\\ud83d\""), &value, NULL) != 0);
	CHECK(json_check(SLICE("\"\\ude00\""), &value, NULL) != 0);
	CHECK(json_check(SLICE("\"\\ude00\\ud83d\""), &value, NULL) != 0);
	CHECK(json_check(SLICE("\"\\ud83d\\ude00\""), &value, NULL) == 0);
	CHECK(json_check(SLICE("\"\\ud83d\\u"), &value, NULL) != 0);
}

TEST(refuses_bytes_that_are_not_utf8)
{
	refused(SLICE("\"\x80\""), 1);
	refused(SLICE("\"\xc0\xaf\""), 1);
	refused(SLICE("\"\xc1\xbf\""), 1);
	refused(SLICE("\"\xe0\x9f\xbf\""), 1);
	refused(SLICE("\"\xed\xa0\x80\""), 1);
	refused(SLICE("\"\xf0\x8f\xbf\xbf\""), 1);
	refused(SLICE("\"\xf4\x90\x80\x80\""), 1);
	refused(SLICE("\"\xf5\x80\x80\x80\""), 1);
	refused(SLICE("\"\xff\""), 1);
	refused(SLICE("\"a\xc3\""), 2);
	refused(SLICE("\"a\xe2\x82"), 2);
	refused(SLICE("\"a\xf0\x9f\x98"), 2);
}

TEST(knows_utf8)
{
	CHECK(json_utf8(SLICE_NONE));
	CHECK(json_utf8(SLICE("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
	CHECK(json_utf8(SLICE("\xed\x9f\xbf\xee\x80\x80")));
	CHECK(!json_utf8(SLICE("a\x80")));
	CHECK(!json_utf8(SLICE("\xe2\x82")));
	CHECK(!json_utf8(SLICE("\xe2\x28\xa1")));
	CHECK(!json_utf8(SLICE("\xf0\x9f\x98\x28")));
}

TEST(nests_to_the_limit_and_no_deeper)
{
	char text[2 * JSON_DEPTH_MAX + 2];
	struct json_value value;
	struct fault fault;

	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	CHECK_INT(json_check(slice_from(text, 2 * JSON_DEPTH_MAX), &value, &fault), 0);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	refused(slice_from(text, sizeof(text)), JSON_DEPTH_MAX);
}

TEST(gives_the_value_without_the_blanks_around_it)
{
	struct json_value value;

	CHECK_INT(json_check(SLICE(" \n{\"a\": 1} \t"), &value, NULL), 0);
	CHECK_SLICE(value.raw, "{\"a\": 1}");
}

static struct json_value
checked(struct slice text)
{
	struct json_value value;
	struct fault fault;

	if (json_check(text, &value, &fault) != 0)
		CHECK_FAIL("%.*s: %s", SLICE_ARG(text), fault.text);
	return value;
}

TEST(walks_the_members_of_an_object)
{
	struct json_value item, object = checked(SLICE("{\"a\" : 1,\"b\":[1,[2]] , \"c\\n\":\"},{\\\"\",\"\":{} }"));
	struct json_iter iter;
	struct slice key;

	json_iter(&iter, object);
	CHECK(json_next(&iter, &key, &item));
	CHECK_SLICE(key, "a");
	CHECK_SLICE(item.raw, "1");
	CHECK(json_next(&iter, &key, &item));
	CHECK_SLICE(key, "b");
	CHECK_SLICE(item.raw, "[1,[2]]");
	CHECK_INT(item.kind, JSON_ARRAY);
	CHECK(json_next(&iter, &key, &item));
	CHECK_SLICE(key, "c\\n");
	CHECK_SLICE(item.raw, "\"},{\\\"\"");
	CHECK(json_next(&iter, &key, &item));
	CHECK_SLICE(key, "");
	CHECK_INT(item.kind, JSON_OBJECT);
	CHECK(!json_next(&iter, &key, &item));
	CHECK(!json_next(&iter, &key, &item));
}

TEST(walks_arrays_and_nothing_else)
{
	struct json_value item, array = checked(SLICE("[ true ,null,\"x\" ]"));
	struct json_iter iter;
	struct slice key;
	int count = 0;

	json_iter(&iter, array);
	while (json_next(&iter, &key, &item)) {
		CHECK_INT(key.size, 0);
		count++;
	}
	CHECK_INT(count, 3);
	json_iter(&iter, checked(SLICE("[ ]")));
	CHECK(!json_next(&iter, &key, &item));
	json_iter(&iter, checked(SLICE("{}")));
	CHECK(!json_next(&iter, &key, &item));
	json_iter(&iter, checked(SLICE("12345")));
	CHECK(!json_next(&iter, &key, &item));
}

TEST(finds_a_member)
{
	struct json_value item, object = checked(SLICE("{\"inner\":{\"a\":1},\"a\":2}"));

	CHECK(json_member(object, SLICE("a"), &item));
	CHECK_SLICE(item.raw, "2");
	CHECK(!json_member(object, SLICE("b"), &item));
	CHECK(!json_member(checked(SLICE("[\"a\"]")), SLICE("a"), &item));
}

static void
check_decoded(struct slice text, const char *wanted)
{
	struct buf out;

	buf_init(&out, 1000);
	json_decode(checked(text), &out);
	CHECK_SLICE(buf_slice(&out), wanted);
	buf_fini(&out);
}

TEST(decodes_escapes)
{
	check_decoded(SLICE("\"\""), "");
	check_decoded(SLICE("\"plain\""), "plain");
	check_decoded(SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\/\b\f\n\r\t");
	check_decoded(SLICE("\"a\\u0041\\u00e9\\u20AC\\ud83d\\ude00z\""), "aA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
	check_decoded(SLICE("\"\\uD7FF\\uE000\\uffff\""), "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf");
	check_decoded(SLICE("12"), "");
}

TEST(a_real_is_its_shortest_text)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = { { 0.1, "0.1" },
		      { 1, "1.0" },
		      { -0.0, "-0.0" },
		      { 5e-324, "5e-324" },
		      { 1e308, "1e308" },
		      { 123456789.12345678, "123456789.12345678" },
		      { 1.0 / 3, "0.3333333333333333" } };
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < countof(cases); i++) {
		buf_clear(&out);
		json_real(&out, cases[i].number);
		CHECK_SLICE(buf_slice(&out), cases[i].text);
	}
	buf_fini(&out);
}

TEST(a_quoted_text_decodes_to_itself)
{
	struct buf quoted, back;
	char all[256 + 8];

	for (int i = 0; i < 128; i++)
		all[i] = (char)i;
	memcpy(all + 128, "\xc2\x80\xf0\x9f\x98\x80", 6);
	buf_init(&quoted, 10000);
	buf_init(&back, 10000);
	json_quote(&quoted, slice_from(all, 134));
	json_decode(checked(buf_slice(&quoted)), &back);
	CHECK(slice_equal(buf_slice(&back), slice_from(all, 134)));
	buf_clear(&quoted);
	json_quote(&quoted, SLICE("\x1f\"\\\n/\x7f"));
	CHECK_SLICE(buf_slice(&quoted), "\"\\u001f\\\"\\\\\\n/\x7f\"");
	buf_clear(&quoted);
	json_quote(&quoted, SLICE_NONE);
	CHECK_SLICE(buf_slice(&quoted), "\"\"");
	buf_fini(&quoted);
	buf_fini(&back);
}

TEST(what_is_quoted_is_utf8_whatever_it_was)
{
	static const struct {
		const char *text, *quoted;
	} cases[] = {
		{ "x\xe4z", "\"x\xef\xbf\xbdz\"" },
		{ "cut \xc3", "\"cut \xef\xbf\xbd\"" },
		{ "\xc3\xa4\xc3\"", "\"\xc3\xa4\xef\xbf\xbd\\\"\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xe2\x82\xac\xf0\x9f\x98\x80\"" },
	};
	struct buf out;

	buf_init(&out, 10000);
	for (size_t i = 0; i < countof(cases); i++) {
		buf_clear(&out);
		json_quote(&out, slice_text(cases[i].text));
		CHECK_SLICE(buf_slice(&out), cases[i].quoted);
		checked(buf_slice(&out));
	}
	buf_fini(&out);
}

TEST(integers_are_written_without_point_or_exponent)
{
	uint64_t natural;
	int64_t integer;

	CHECK(json_to_i64(checked(SLICE("-9223372036854775808")), &integer) && integer == INT64_MIN);
	CHECK(!json_to_i64(checked(SLICE("9223372036854775808")), &integer));
	CHECK(!json_to_i64(checked(SLICE("1.0")), &integer));
	CHECK(!json_to_i64(checked(SLICE("1e3")), &integer));
	CHECK(!json_to_i64(checked(SLICE("\"1\"")), &integer));
	CHECK(json_to_u64(checked(SLICE("18446744073709551615")), &natural) && natural == UINT64_MAX);
	CHECK(!json_to_u64(checked(SLICE("-1")), &natural));
	CHECK(!json_to_u64(checked(SLICE("true")), &natural));
}

TEST(commas_come_only_between_values)
{
	struct buf out;

	buf_init(&out, 1000);
	json_comma(&out);
	buf_byte(&out, '{');
	json_key(&out, "a");
	buf_byte(&out, '[');
	for (int i = 0; i < 3; i++) {
		json_comma(&out);
		buf_u64(&out, (uint64_t)i);
	}
	buf_byte(&out, ']');
	json_key(&out, "b\"");
	json_comma(&out);
	buf_text(&out, "{}}");
	CHECK_SLICE(buf_slice(&out), "{\"a\":[0,1,2],\"b\\\"\":{}}");
	CHECK_INT(checked(buf_slice(&out)).kind, JSON_OBJECT);
	buf_fini(&out);
}

/* Every prefix of a good text is bad, and no change of one byte makes the scanner read beyond its bytes. */
TEST(survives_every_cut_and_every_flipped_byte)
{
	static const char good[] = "{\"a\":[1,-2.5e+3,\"x\\n\\ud83d\\ude00\xe2\x82\xac\",true,false,null],\"b\":{}}";
	struct json_value value;
	size_t size = sizeof(good) - 1;

	for (size_t cut = 0; cut < size; cut++) {
		char *copy = malloc(cut + 1);
		memcpy(copy, good, cut);
		int result = json_check(slice_from(copy, cut), &value, NULL);
		free(copy);
		CHECK(result != 0);
	}
	for (size_t at = 0; at < size; at++) {
		for (int byte = 0; byte < 256; byte++) {
			char *copy = malloc(size);
			memcpy(copy, good, size);
			copy[at] = (char)byte;
			if (json_check(slice_from(copy, size), &value, NULL) == 0) {
				struct json_iter iter;
				struct slice key;
				struct json_value item;
				json_iter(&iter, value);
				while (json_next(&iter, &key, &item))
					;
			}
			free(copy);
		}
	}
}

TEST_MAIN()
