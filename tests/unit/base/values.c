/* SPDX-License-Identifier: MIT */
/* clock, entropy, id and digest: against published vectors and against themselves. */
#include "base/clock.h"
#include "base/digest.h"
#include "base/entropy.h"
#include "base/id.h"
#include "support/check.h"

static void
check_time(const char *text, int64_t wanted_us, const char *canonical)
{
	char back[CLOCK_TEXT_SIZE];
	int64_t wall_us;

	if (clock_parse(text, &wall_us) != 0)
		CHECK_FAIL("%s is not understood", text);
	if (wall_us != wanted_us)
		CHECK_FAIL("%s is %lld", text, (long long)wall_us);
	clock_format(wall_us, back);
	CHECK_TEXT(back, canonical);
}

TEST(times_are_read_and_written)
{
	check_time("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000000Z");
	check_time("1969-12-31T23:59:59.999999Z", -1, "1969-12-31T23:59:59.999999Z");
	check_time("2000-02-29T12:34:56.5Z", 951827696500000, "2000-02-29T12:34:56.500000Z");
	check_time("2026-11-21", 1795219200000000, "2026-11-21T00:00:00.000000Z");
	check_time("2026-11-21T10:00:00+02:00", 1795248000000000, "2026-11-21T08:00:00.000000Z");
	check_time("2026-11-21T10:00:00.123456-05:30", 1795275000123456, "2026-11-21T15:30:00.123456Z");
	check_time("0000-03-01T00:00:00Z", -62162035200000000, "0000-03-01T00:00:00.000000Z");
	check_time("9999-12-31T23:59:59.999999Z", 253402300799999999, "9999-12-31T23:59:59.999999Z");
}

TEST(what_is_no_time_is_refused)
{
	static const char *const bad[] = {
		"",
		"2026",
		"2026-11",
		"2026-11-2",
		"2026-11-31",
		"2026-02-29",
		"1900-02-29",
		"2026-00-01",
		"2026-13-01",
		"2026-01-00",
		"2026-11-21T",
		"2026-11-21T10",
		"2026-11-21T10:00",
		"2026-11-21T10:00:00",
		"2026-11-21T24:00:00Z",
		"2026-11-21T10:60:00Z",
		"2026-11-21T10:00:60Z",
		"2026-11-21T10:00:00.Z",
		"2026-11-21T10:00:00.1234567Z",
		"2026-11-21T10:00:00z",
		"2026-11-21 10:00:00Z",
		"2026-11-21T10:00:00+2",
		"2026-11-21T10:00:00+24:00",
		"2026-11-21T10:00:00+02:60",
		"2026-11-21T10:00:00Zx",
		"2026-11-21x",
		" 2026-11-21",
		"-026-11-21",
	};
	int64_t wall_us;

	for (size_t i = 0; i < countof(bad); i++)
		if (clock_parse(bad[i], &wall_us) == 0)
			CHECK_FAIL("\"%s\" was understood", bad[i]);
}

TEST(every_day_of_eight_centuries_round_trips)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t back;

	for (int64_t day = -146097; day < 146097; day++) {
		clock_format(day * INT64_C(86400000000) + 1, text);
		CHECK_INT(clock_parse(text, &back), 0);
		CHECK(back == day * INT64_C(86400000000) + 1);
	}
}

TEST(times_out_of_range_are_clamped_when_written)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(INT64_MAX, text);
	CHECK_TEXT(text, "9999-12-31T23:59:59.999999Z");
	clock_format(INT64_MIN, text);
	CHECK_TEXT(text, "0000-01-01T00:00:00.000000Z");
}

TEST(the_real_clocks_go)
{
	const struct clock *clock = clock_real();
	int64_t before = clock_mono_ns(clock);

	CHECK(clock_wall_us(clock) > INT64_C(1700000000000000));
	CHECK(clock_mono_ns(clock) >= before);
}

static struct {
	int64_t wall_us, mono_ns, stands_ns;
} hands;

static int64_t
hand_wall(void *self)
{
	(void)self;
	hands.mono_ns += hands.stands_ns; /* the process stands still here */
	return hands.wall_us;
}

static int64_t
hand_mono(void *self)
{
	(void)self;
	return hands.mono_ns;
}

static void
pass(int64_t seconds)
{
	hands.wall_us += seconds * 1000000;
	hands.mono_ns += seconds * 1000000000;
}

TEST(a_jump_of_the_wall_clock_is_told_once)
{
	const struct clock clock = { hand_wall, hand_mono, NULL };
	const int64_t days_us = INT64_C(2) * 86400 * 1000000;
	struct clock_watch watch = { 0 };
	int64_t expected_us, now_us;

	hands.wall_us = INT64_C(1700000000000000);
	CHECK(!clock_jumped(&watch, &clock, &expected_us, &now_us));
	pass(100000);
	CHECK(!clock_jumped(&watch, &clock, &expected_us, &now_us));
	pass(10);
	hands.wall_us += days_us;
	CHECK(clock_jumped(&watch, &clock, &expected_us, &now_us));
	CHECK_INT(expected_us, INT64_C(1700000000000000) + 100010 * INT64_C(1000000));
	CHECK_INT(now_us, expected_us + days_us);
	pass(10);
	CHECK(!clock_jumped(&watch, &clock, &expected_us, &now_us));
	hands.wall_us -= days_us;
	CHECK(clock_jumped(&watch, &clock, &expected_us, &now_us));
	CHECK_INT(now_us, expected_us - days_us);
	CHECK(!clock_jumped(&watch, &clock, &expected_us, &now_us));
	hands.wall_us += 4000000; /* small steps are what time services do */
	CHECK(!clock_jumped(&watch, &clock, &expected_us, &now_us));
}

TEST(a_process_that_stood_still_sees_no_jump)
{
	const struct clock clock = { hand_wall, hand_mono, NULL };
	struct clock_watch watch = { 0 };
	int64_t expected_us, now_us;

	CHECK(!clock_jumped(&watch, &clock, &expected_us, &now_us));
	hands.stands_ns = INT64_C(100000000000);
	CHECK(!clock_jumped(&watch, &clock, &expected_us, &now_us));
	hands.stands_ns = 0;
	hands.wall_us += 100000000;
	CHECK(!clock_jumped(&watch, &clock, &expected_us, &now_us));
}

TEST(the_same_seed_gives_the_same_bytes)
{
	struct entropy_seeded one, two, other;
	uint8_t a[100], b[100], c[100];

	entropy_seed(&one, 42);
	entropy_seed(&two, 42);
	entropy_seed(&other, 43);
	entropy_fill(&one.entropy, a, sizeof(a));
	entropy_fill(&two.entropy, b, sizeof(b));
	entropy_fill(&other.entropy, c, sizeof(c));
	CHECK(memcmp(a, b, sizeof(a)) == 0);
	CHECK(memcmp(a, c, sizeof(a)) != 0);
}

TEST(real_entropy_does_not_repeat)
{
	uint8_t bytes[64][16], large[1000] = { 0 };
	int zeros = 0;

	for (int i = 0; i < 64; i++)
		entropy_fill(entropy_real(), bytes[i], 16);
	for (int i = 0; i < 64; i++)
		for (int j = 0; j < i; j++)
			CHECK(memcmp(bytes[i], bytes[j], 16) != 0);
	entropy_fill(entropy_real(), large, sizeof(large));
	for (size_t i = 0; i < sizeof(large); i++)
		zeros += large[i] == 0;
	CHECK(zeros < 50);
}

TEST(ids_have_version_variant_and_time)
{
	static const uint8_t ones[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	char text[ID_TEXT_SIZE];
	struct id id = id_v7(INT64_C(1645557742000000), ones);

	/* The time of RFC 9562, appendix A.6. */
	id_format(&id, text);
	CHECK_TEXT(text, "017f22e2-79b0-7fff-bfff-ffffffffffff");
	id = id_v4(ones);
	id_format(&id, text);
	CHECK_TEXT(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

TEST(ids_order_by_time)
{
	static const uint8_t low[10], high[10] = { 0xff, 0xff, 0xff };
	struct id earlier = id_v7(1700000000000000, high), later = id_v7(1700000000001000, low);

	CHECK(memcmp(earlier.bytes, later.bytes, 16) < 0);
	CHECK(!id_is_none(&earlier));
	CHECK(id_is_none(&(struct id){ { 0 } }));
}

TEST(ids_are_read_in_either_case_and_nothing_else)
{
	static const char *const bad[] = {
		"",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398ff",
		"017f22e279b0-7cc3-98c4-dc0c0c07398ff",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
		"{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
		"017f22e2_79b0_7cc3_98c4_dc0c0c07398f",
	};
	char text[ID_TEXT_SIZE];
	struct id id;

	CHECK_INT(id_parse(SLICE("017F22E2-79b0-7CC3-98c4-dc0c0c07398F"), &id), 0);
	id_format(&id, text);
	CHECK_TEXT(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
	for (size_t i = 0; i < countof(bad); i++)
		CHECK_INT(id_parse(slice_text(bad[i]), &id), -1);
}

static void
check_digest(const struct digest *digest, const char *wanted)
{
	char text[2 * DIGEST_SIZE + 1];

	for (int i = 0; i < DIGEST_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", digest->bytes[i]);
	CHECK_TEXT(text, wanted);
}

TEST(digests_are_sha256)
{
	struct digest digest;

	digest_of(SLICE_NONE, &digest);
	check_digest(&digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_of(SLICE("abc"), &digest);
	check_digest(&digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_of(SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), &digest);
	check_digest(&digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(pieces_hash_as_the_whole)
{
	struct digest whole, pieces;
	struct digest_state state;
	char text[300];

	memset(text, 'q', sizeof(text));
	digest_of(slice_from(text, sizeof(text)), &whole);
	for (size_t cut = 0; cut <= sizeof(text); cut += 7) {
		digest_init(&state);
		digest_add(&state, text, cut);
		digest_add(&state, NULL, 0);
		digest_add(&state, text + cut, sizeof(text) - cut);
		digest_end(&state, &pieces);
		CHECK(memcmp(&whole, &pieces, sizeof(whole)) == 0);
	}
}

TEST(lengths_keep_parts_apart)
{
	struct digest one, two;
	struct digest_state state;

	digest_init(&state);
	digest_add_slice(&state, SLICE("ab"));
	digest_add_slice(&state, SLICE("c"));
	digest_end(&state, &one);
	digest_init(&state);
	digest_add_slice(&state, SLICE("a"));
	digest_add_slice(&state, SLICE("bc"));
	digest_end(&state, &two);
	CHECK(memcmp(&one, &two, sizeof(one)) != 0);
	digest_init(&state);
	digest_add_u64(&state, 0x0807060504030201);
	digest_end(&state, &one);
	digest_of(SLICE("\1\2\3\4\5\6\7\10"), &two);
	CHECK(memcmp(&one, &two, sizeof(one)) == 0);
}

TEST_MAIN()
