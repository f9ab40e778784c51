/* SPDX-License-Identifier: MIT */
/* Digest, link and id of entries [I2]: frozen values, and every part changes them. */
#include "model/entry.h"

#include "support/check.h"

static const struct new_entry sample = {
	.kind = ENTRY_EVENT,
	.schema_version = 2,
	.type = { "MoneyDeposited", 14 },
	.data = { "{\"amount\":500}", 14 },
	.topic = { "banking-events", 14 },
	.key = { "k", 1 },
	.headers = { "{}", 2 },
};
static const struct provenance origin = { { "c", 1 }, { "d", 1 }, { "00-ab", 5 }, { "me", 2 } };

static void
check_hex(const struct check *check, const char *wanted)
{
	char text[2 * CHECK_SIZE + 1];

	for (int i = 0; i < CHECK_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", check->bytes[i]);
	CHECK_TEXT(text, wanted);
}

TEST(digest_link_and_id_are_frozen)
{
	struct check zero = { { 0 } }, digest, link;
	char text[ID_TEXT_SIZE];

	entry_digest(&sample, SLICE("banking.account/1"), 3, &origin, &digest);
	check_hex(&digest, "4ebeb327a0007307dc03c1760b8becc9");
	entry_link(&zero, &digest, 7, 3, 6, 2, 1763719200000000, &link);
	check_hex(&link, "2d019a7303dbf95124c807ae9294ad78");
	struct id id = entry_id(1763719200000000, &link);
	id_format(&id, text);
	CHECK_TEXT(text, "019aa5db-3d00-7d01-9a73-03dbf95124c8");
}

static struct recorded_entry
recorded(void)
{
	return (struct recorded_entry){
		.kind = sample.kind,
		.stream = SLICE("banking.account/1"),
		.type = sample.type,
		.schema_version = sample.schema_version,
		.generation = 3,
		.provenance = origin,
		.data = sample.data,
		.topic = sample.topic,
		.key = sample.key,
		.headers = sample.headers,
	};
}

TEST(what_was_read_has_the_digest_of_what_was_written)
{
	struct recorded_entry entry = recorded();
	struct check written, read;

	entry_digest(&sample, SLICE("banking.account/1"), 3, &origin, &written);
	entry_digest_recorded(&entry, &read);
	CHECK(check_equal(&written, &read));
}

TEST(every_part_of_the_content_is_covered)
{
	struct recorded_entry entry = recorded();
	struct slice *texts[] = {
		&entry.stream,
		&entry.type,
		&entry.data,
		&entry.topic,
		&entry.key,
		&entry.headers,
		&entry.provenance.correlation_id,
		&entry.provenance.causation_id,
		&entry.provenance.traceparent,
		&entry.provenance.actor,
	};
	struct check before, after;

	entry_digest_recorded(&entry, &before);
	for (size_t i = 0; i < countof(texts); i++) {
		struct slice kept = *texts[i];
		*texts[i] = SLICE("other");
		entry_digest_recorded(&entry, &after);
		CHECK(!check_equal(&before, &after));
		*texts[i] = kept;
	}
	entry.kind = ENTRY_MESSAGE;
	entry_digest_recorded(&entry, &after);
	CHECK(!check_equal(&before, &after));
	entry = recorded();
	entry.schema_version = 1;
	entry_digest_recorded(&entry, &after);
	CHECK(!check_equal(&before, &after));
	entry = recorded();
	entry.generation = 4;
	entry_digest_recorded(&entry, &after);
	CHECK(!check_equal(&before, &after));
}

TEST(bytes_that_move_between_parts_are_noticed)
{
	struct recorded_entry one = recorded(), two = recorded();
	struct check a, b;

	one.topic = SLICE("ab");
	one.key = SLICE("c");
	two.topic = SLICE("a");
	two.key = SLICE("bc");
	entry_digest_recorded(&one, &a);
	entry_digest_recorded(&two, &b);
	CHECK(!check_equal(&a, &b));
}

TEST(every_part_of_the_place_is_covered)
{
	struct check digest = { { 1 } }, other = { { 2 } }, zero = { { 0 } }, link, changed[7];

	entry_link(&zero, &digest, 7, 3, 6, 2, 1000, &link);
	entry_link(&other, &digest, 7, 3, 6, 2, 1000, &changed[0]);
	entry_link(&zero, &other, 7, 3, 6, 2, 1000, &changed[1]);
	entry_link(&zero, &digest, 8, 3, 6, 2, 1000, &changed[2]);
	entry_link(&zero, &digest, 7, 4, 6, 2, 1000, &changed[3]);
	entry_link(&zero, &digest, 7, 3, 7, 2, 1000, &changed[4]);
	entry_link(&zero, &digest, 7, 3, 6, 1, 1000, &changed[5]);
	entry_link(&zero, &digest, 7, 3, 6, 2, 1001, &changed[6]);
	for (size_t i = 0; i < countof(changed); i++)
		CHECK(!check_equal(&link, &changed[i]));
}

TEST_MAIN()
