/* SPDX-License-Identifier: MIT */
/* The grammar of stream names, the rule of expected versions, and command ids [I1] [I5]. */
#include "model/stream.h"

#include "model/command_id.h"
#include "support/check.h"

TEST(a_name_has_three_parts)
{
	struct stream_name name;
	struct fault fault;

	CHECK_INT(stream_parse(SLICE("banking.account/DE12:a.b_c~d@e-f/"), &name, &fault), -1);
	CHECK_INT(stream_parse(SLICE("banking.account/DE12:a.b_c~d@e-f"), &name, &fault), 0);
	CHECK_SLICE(name.whole, "banking.account/DE12:a.b_c~d@e-f");
	CHECK_SLICE(name.domain, "banking");
	CHECK_SLICE(name.aggregate, "account");
	CHECK_SLICE(name.id, "DE12:a.b_c~d@e-f");
}

TEST(other_names_are_refused_with_a_reason)
{
	static const char *const bad[] = {
		"",        "/",       ".",      "./",     "a.b",     "a/b",     "a.b/",    ".b/c",    "a./c",
		"A.b/c",   "a.B/c",   "1a.b/c", "_a.b/c", "a-b.c/d", "a.b.c/d", "a.b/c/d", "a.b/c d", "a.b/\xc3\xa9",
		"a.b/c\n", "a.b/%41", "a.b/c?", "a/b.c",
	};
	struct stream_name name;
	struct fault fault;

	for (size_t i = 0; i < countof(bad); i++) {
		if (stream_parse(slice_text(bad[i]), &name, &fault) == 0)
			CHECK_FAIL("\"%s\" was accepted", bad[i]);
		CHECK_INT(fault.class, FAULT_INPUT);
		CHECK_TEXT(fault.code, "bad_stream_name");
	}
	CHECK_INT(stream_parse(SLICE("a.b/c\0d"), &name, &fault), -1);
	CHECK_INT(stream_parse(SLICE_NONE, &name, &fault), -1);
}

TEST(lengths_end_where_they_are_said_to)
{
	char word[STREAM_WORD_MAX + 1], id[STREAM_ID_MAX + 1], whole[STREAM_NAME_MAX];
	struct stream_name name;
	struct fault fault;

	memset(word, 'a', sizeof(word));
	memset(id, '7', sizeof(id));
	CHECK(stream_word_ok(slice_from(word, STREAM_WORD_MAX)));
	CHECK(!stream_word_ok(slice_from(word, STREAM_WORD_MAX + 1)));
	CHECK(stream_id_ok(slice_from(id, STREAM_ID_MAX)));
	CHECK(!stream_id_ok(slice_from(id, STREAM_ID_MAX + 1)));
	CHECK(!stream_id_ok(SLICE_NONE));
	CHECK(!stream_word_ok(SLICE_NONE));
	int size = snprintf(whole, sizeof(whole), "%.63s.%.63s/%.200s", word, word, id);
	CHECK(size < STREAM_NAME_MAX);
	CHECK_INT(stream_parse(slice_from(whole, (size_t)size), &name, &fault), 0);
}

TEST(expectations)
{
	const struct expected any = { EXPECTED_ANY, 0 }, none = { EXPECTED_NO_STREAM, 0 },
			      some = { EXPECTED_EXISTS, 0 }, third = { EXPECTED_EXACTLY, 3 },
			      zeroth = { EXPECTED_EXACTLY, 0 };

	CHECK(expected_holds(any, 0) && expected_holds(any, 9));
	CHECK(expected_holds(none, 0) && !expected_holds(none, 1));
	CHECK(!expected_holds(some, 0) && expected_holds(some, 1));
	CHECK(expected_holds(third, 3) && !expected_holds(third, 2) && !expected_holds(third, 4));
	CHECK(expected_holds(zeroth, 0) && !expected_holds(zeroth, 1));
	CHECK(!expected_holds((struct expected){ (enum expected_kind)77, 0 }, 0));
}

static void
check_bytes(const uint8_t *bytes, size_t size, const char *wanted)
{
	char text[65];

	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	CHECK_TEXT(text, wanted);
}

/* Stores keep these values for as long as they remember commands [I5]. */
TEST(command_ids_are_frozen)
{
	struct command_id id = command_id_make(SLICE("banking"), SLICE("DepositMoney"), SLICE("key-1"));
	struct fingerprint fingerprint = fingerprint_make(SLICE("/x"), SLICE("{}"));

	check_bytes(id.bytes, sizeof(id.bytes), "5107dd5482b9d928385ced1335e42fb1");
	check_bytes(fingerprint.bytes, sizeof(fingerprint.bytes), "82e7b6af6ae94111");
}

TEST(the_same_key_at_another_command_is_another_command)
{
	struct command_id one = command_id_make(SLICE("banking"), SLICE("DepositMoney"), SLICE("k"));
	struct command_id other = command_id_make(SLICE("banking"), SLICE("WithdrawMoney"), SLICE("k"));
	struct command_id moved = command_id_make(SLICE("bankingD"), SLICE("epositMoney"), SLICE("k"));

	CHECK(memcmp(&one, &other, sizeof(one)) != 0);
	CHECK(memcmp(&one, &moved, sizeof(one)) != 0);
}

TEST_MAIN()
