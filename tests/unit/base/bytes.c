/* SPDX-License-Identifier: MIT */
/* slice, arena and buf: bounds, caps, growth and what happens at the edges of integers. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/word.h"
#include "support/check.h"

TEST(slices_order_bytewise_and_shorter_first)
{
	CHECK(slice_compare(SLICE("a"), SLICE("b")) < 0);
	CHECK(slice_compare(SLICE("b"), SLICE("a")) > 0);
	CHECK(slice_compare(SLICE("a"), SLICE("ab")) < 0);
	CHECK(slice_compare(SLICE("ab"), SLICE("a")) > 0);
	CHECK(slice_compare(SLICE("\x7f"), SLICE("\xff")) < 0);
	CHECK_INT(slice_compare(SLICE_NONE, SLICE("")), 0);
	CHECK(slice_compare(SLICE_NONE, SLICE("a")) < 0);
	CHECK_INT(slice_compare(SLICE("ab"), SLICE("ab")), 0);
}

TEST(an_empty_slice_equals_another_whatever_it_points_to)
{
	CHECK(slice_equal(SLICE_NONE, SLICE("")));
	CHECK(slice_equal(slice_text(NULL), slice_text("")));
	CHECK(!slice_equal(SLICE_NONE, SLICE("a")));
	CHECK(slice_starts_with(SLICE_NONE, SLICE_NONE));
	CHECK(slice_starts_with(SLICE("abc"), SLICE("ab")));
	CHECK(!slice_starts_with(SLICE("ab"), SLICE("abc")));
	CHECK(!slice_starts_with(SLICE("xab"), SLICE("ab")));
}

TEST(unsigned_numbers_are_digits_that_fit)
{
	uint64_t number = 7;

	CHECK(slice_to_u64(SLICE("0"), &number) && number == 0);
	CHECK(slice_to_u64(SLICE("18446744073709551615"), &number) && number == UINT64_MAX);
	CHECK(slice_to_u64(SLICE("007"), &number) && number == 7);
	CHECK(!slice_to_u64(SLICE("18446744073709551616"), &number));
	CHECK(!slice_to_u64(SLICE("99999999999999999999"), &number));
	CHECK(!slice_to_u64(SLICE_NONE, &number));
	CHECK(!slice_to_u64(SLICE("-1"), &number));
	CHECK(!slice_to_u64(SLICE("+1"), &number));
	CHECK(!slice_to_u64(SLICE(" 1"), &number));
	CHECK(!slice_to_u64(SLICE("1x"), &number));
	CHECK_INT(number, 7);
}

TEST(signed_numbers_reach_both_ends)
{
	int64_t number = 7;

	CHECK(slice_to_i64(SLICE("-9223372036854775808"), &number) && number == INT64_MIN);
	CHECK(slice_to_i64(SLICE("9223372036854775807"), &number) && number == INT64_MAX);
	CHECK(slice_to_i64(SLICE("+5"), &number) && number == 5);
	CHECK(slice_to_i64(SLICE("-0"), &number) && number == 0);
	CHECK(!slice_to_i64(SLICE("9223372036854775808"), &number));
	CHECK(!slice_to_i64(SLICE("-9223372036854775809"), &number));
	CHECK(!slice_to_i64(SLICE_NONE, &number));
	CHECK(!slice_to_i64(SLICE("-"), &number));
	CHECK(!slice_to_i64(SLICE("--1"), &number));
}

/* Stores keep these values in their index: a change here is a change of format. */
TEST(words_are_little_endian_wherever_they_stand)
{
	uint8_t bytes[16] = { 0 };

	for (size_t at = 0; at < 8; at++) {
		word_put(bytes + at, 0x8877665544332211u);
		for (size_t i = 0; i < 8; i++)
			CHECK_INT(bytes[at + i], 0x11 * (i + 1));
		CHECK(word_get(bytes + at) == 0x8877665544332211u);
	}
}

TEST(words_show_the_first_byte_that_json_escapes)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';

		for (unsigned at = 0; at < 8; at++) {
			for (unsigned other = 0; other < 3; other++) {
				char text[8];
				uint64_t found;

				memset(text, " a\x7f"[other], sizeof(text));
				text[at] = (char)byte;
				if (at < 7)
					text[7] = '"';
				found = word_unplain(word_get(text));
				CHECK((found != 0) == (!plain || at < 7));
				if (found != 0)
					CHECK_INT(__builtin_ctzll(found) / 8, plain ? 7 : at);
			}
		}
	}
}

TEST(words_give_hexadecimal_digits)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		const uint8_t four[4] = { (uint8_t)byte, (uint8_t)~byte, 0, (uint8_t)(byte * 7) };
		char wanted[9], text[9] = { 0 };

		snprintf(wanted, sizeof(wanted), "%02x%02x%02x%02x", four[0], four[1], four[2], four[3]);
		word_put(text, word_hex(four));
		CHECK_TEXT(text, wanted);
	}
}

TEST(the_hash_is_frozen)
{
	CHECK(slice_hash(SLICE(""), 0) == UINT64_C(0x1ff5c2923a788d2c));
	CHECK(slice_hash(SLICE("banking.account/1"), 0) == UINT64_C(0x7255d5eb19ed3215));
	CHECK(slice_hash(SLICE("abcdefgh"), 1) == UINT64_C(0x386ab23e46697ff4));
	CHECK(slice_hash(SLICE("moonlog"), 42) == UINT64_C(0xa4844e3db07c7de2));
	CHECK(slice_hash(SLICE("banking.account/1"), 0) != slice_hash(SLICE("banking.account/2"), 0));
	CHECK(slice_hash(SLICE("banking.account/1"), 0) != slice_hash(SLICE("banking.account/1"), 1));
	CHECK(slice_hash(SLICE("abcdefg"), 0) != slice_hash(SLICE("abcdefg\0"), 0));
}

TEST(the_hash_spreads_names_that_differ_in_a_digit)
{
	enum { BUCKETS = 1024, NAMES = 64 * BUCKETS };
	static unsigned filled[BUCKETS];
	char name[40];

	for (unsigned i = 0; i < NAMES; i++) {
		int size = snprintf(name, sizeof(name), "banking.account/%u", i);
		filled[slice_hash(slice_from(name, (size_t)size), 0) % BUCKETS]++;
	}
	for (unsigned i = 0; i < BUCKETS; i++)
		CHECK(filled[i] > 24 && filled[i] < 112);
}

TEST(arena_gives_aligned_memory_that_stays_put)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	char *first = arena_alloc(&arena, 3);
	CHECK(first != NULL);
	memset(first, 'x', 3);
	for (size_t size = 0; size < 2000; size++) {
		char *more = arena_alloc(&arena, size % 300);
		CHECK(more != NULL && (uintptr_t)more % 16 == 0);
		memset(more, 'y', size % 300);
	}
	CHECK(memcmp(first, "xxx", 3) == 0);
	arena_fini(&arena);
	CHECK_INT(arena.used_bytes, 0);
	CHECK(arena_alloc(&arena, 10) != NULL);
	arena_fini(&arena);
}

TEST(arena_stops_at_its_cap_and_not_before)
{
	struct arena arena;

	arena_init(&arena, 160);
	CHECK(arena_alloc(&arena, 161) == NULL);
	CHECK(arena_alloc(&arena, SIZE_MAX) == NULL);
	CHECK(arena_alloc(&arena, SIZE_MAX - 7) == NULL);
	CHECK(arena_zero(&arena, SIZE_MAX / 2, 4) == NULL);
	for (int i = 0; i < 10; i++)
		CHECK(arena_alloc(&arena, 0) != NULL);
	CHECK_INT(arena.used_bytes, 160);
	CHECK(arena_alloc(&arena, 0) == NULL);
	CHECK(arena_alloc(&arena, 1) == NULL);
	CHECK(arena_copy(&arena, SLICE("")).data == NULL);
	arena_clear(&arena);
	CHECK(arena_alloc(&arena, 160) != NULL);
	arena_fini(&arena);
}

TEST(arena_takes_one_large_piece)
{
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	char *large = arena_alloc(&arena, 3 << 20);
	CHECK(large != NULL);
	memset(large, 1, 3 << 20);
	arena_clear(&arena);
	CHECK(arena.blocks == NULL);
	arena_fini(&arena);
}

TEST(arena_copies_end_in_nul)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	struct slice copy = arena_copy(&arena, SLICE("abc"));
	CHECK_SLICE(copy, "abc");
	CHECK_INT(copy.data[3], 0);
	CHECK(arena_copy(&arena, SLICE_NONE).data != NULL);
	CHECK_TEXT(arena_text(&arena, SLICE_NONE), "");
	CHECK_SLICE(arena_format(&arena, "%s-%d", "a", 42), "a-42");
	int *zeros = arena_zero(&arena, 100, sizeof(int));
	for (int i = 0; i < 100; i++)
		CHECK_INT(zeros[i], 0);
	arena_fini(&arena);
}

TEST(arena_reset_forgets_what_came_after_the_mark)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	char *kept = arena_text(&arena, SLICE("kept"));
	struct arena_mark mark = arena_mark(&arena);
	char *next = arena_alloc(&arena, 16);
	for (int i = 0; i < 100; i++)
		CHECK(arena_alloc(&arena, 1000) != NULL);
	arena_reset(&arena, mark);
	CHECK_TEXT(kept, "kept");
	CHECK_INT(arena.used_bytes, mark.used_bytes);
	CHECK(arena_alloc(&arena, 16) == next);
	arena_fini(&arena);
}

TEST(arena_reset_to_the_very_beginning)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	struct arena_mark mark = arena_mark(&arena);
	CHECK(arena_alloc(&arena, 5000) != NULL);
	arena_reset(&arena, mark);
	CHECK_INT(arena.used_bytes, 0);
	CHECK(arena_alloc(&arena, 10) != NULL);
	arena_fini(&arena);
}

TEST(buf_writes_numbers_and_hexadecimal)
{
	struct buf buf;

	buf_init(&buf, 1000);
	buf_u64(&buf, 0);
	buf_byte(&buf, ' ');
	buf_u64(&buf, UINT64_MAX);
	buf_byte(&buf, ' ');
	buf_i64(&buf, INT64_MIN);
	buf_byte(&buf, ' ');
	buf_i64(&buf, INT64_MAX);
	buf_byte(&buf, ' ');
	buf_hex(&buf, "\x00\xaf\xff", 3);
	buf_format(&buf, " %05d", 42);
	CHECK_SLICE(buf_slice(&buf), "0 18446744073709551615 -9223372036854775808 9223372036854775807 00afff 00042");
	CHECK(!buf.failed);
	buf_fini(&buf);
}

TEST(buf_fails_once_and_stays_failed)
{
	struct buf buf;

	buf_init(&buf, 8);
	buf_text(&buf, "12345678");
	CHECK(!buf.failed);
	buf_byte(&buf, '9');
	CHECK(buf.failed);
	buf_add(&buf, SLICE_NONE);
	buf_text(&buf, "");
	CHECK_SLICE(buf_slice(&buf), "12345678");
	buf_clear(&buf);
	CHECK(!buf.failed);
	buf_text(&buf, "abc");
	CHECK_SLICE(buf_slice(&buf), "abc");
	CHECK(!buf_reserve(&buf, SIZE_MAX));
	CHECK(buf.failed);
	buf_text(&buf, "d");
	buf_hex(&buf, "x", 1);
	buf_format(&buf, "%d", 1);
	CHECK_SLICE(buf_slice(&buf), "abc");
	buf_fini(&buf);
}

TEST(buf_grows_through_many_sizes)
{
	struct buf buf;

	buf_init(&buf, SIZE_MAX);
	for (int i = 0; i < 100000; i++)
		buf_byte(&buf, (char)('a' + i % 26));
	CHECK(!buf.failed);
	CHECK_INT(buf.size, 100000);
	for (int i = 0; i < 100000; i++)
		CHECK_INT(buf.data[i], 'a' + i % 26);
	buf_fini(&buf);
}

TEST_MAIN()
