/* SPDX-License-Identifier: MIT */
/*
 * An index that lies with the right checks: blocks and segment rows made by somebody who knows how. It only leads to
 * rows of the log, so what it says is compared with them; what does not fit is read from the log itself, or is a fault.
 * Verify makes every block again and tells; an idle writer seals the segment anew.
 */
#include <sqlite3.h>
#include <unistd.h>

#include "store/sqlite/block.h"
#include "store/sqlite/range.h"
#include "support/check.h"
#include "unit/sqlite/picture.h"

#define ENTRIES 400 /* segments of 64: six of them, then a tail */

static struct kit original, kit;
static struct picture before;

/* What a forgery changes in each item of a block; false: leave it out. */
typedef void (*forge_hash)(struct hash_item *item);

static void
reference_of_another(struct hash_item *item)
{
	item->reference ^= 4; /* stays even: an entry's; and another stream's */
}

static void
reference_to_nothing(struct hash_item *item)
{
	item->reference += 200000;
}

static void
reference_to_a_bare(struct hash_item *item)
{
	item->reference |= 1;
}

static void
reference_to_no_bare(struct hash_item *item)
{
	item->reference = 200001;
}

static void
nothing_forged(struct hash_item *item)
{
	(void)item;
}

struct row_of_block {
	bool streams;
	struct block_key key;
	struct buf bytes;
	sqlite3 *db;
};

static sqlite3 *
open_copy(void)
{
	char path[128];
	sqlite3 *db;

	kit_path(&kit, "moonlog.db", path);
	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static sqlite3_stmt *
prepared(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		CHECK_FAIL("%s: %s", sql, sqlite3_errmsg(db));
	return statement;
}

/* The first block of a kind in a segment; `at` blocks further on. */
static void
load_hashes(struct row_of_block *row, enum hash_kind kind, uint64_t segment)
{
	sqlite3_stmt *statement;

	row->db = open_copy();
	row->streams = false;
	statement = prepared(row->db, "SELECT prefix, block FROM hash_index WHERE kind = ? AND segment = ? LIMIT 1");
	sqlite3_bind_int64(statement, 1, (int64_t)kind);
	sqlite3_bind_int64(statement, 2, (int64_t)segment);
	CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
	row->key = (struct block_key){ segment, (uint64_t)kind, (uint64_t)sqlite3_column_int64(statement, 0) };
	buf_init(&row->bytes, SIZE_MAX);
	buf_add(&row->bytes, slice_from(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1)));
	sqlite3_finalize(statement);
}

static void
load_streams(struct row_of_block *row, uint64_t segment)
{
	sqlite3_stmt *statement;

	row->db = open_copy();
	row->streams = true;
	statement = prepared(row->db, "SELECT stream, version, block FROM stream_index JOIN stream_blocks USING "
				      "(number) WHERE segment = ? LIMIT 1");
	sqlite3_bind_int64(statement, 1, (int64_t)segment);
	CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
	row->key = (struct block_key){ segment, (uint64_t)sqlite3_column_int64(statement, 0),
				       (uint64_t)sqlite3_column_int64(statement, 1) };
	buf_init(&row->bytes, SIZE_MAX);
	buf_add(&row->bytes, slice_from(sqlite3_column_blob(statement, 2), (size_t)sqlite3_column_bytes(statement, 2)));
	sqlite3_finalize(statement);
}

/* With the check that its bytes give. */
static void
store_block(struct row_of_block *row, uint64_t next_major, uint64_t next_minor)
{
	sqlite3_stmt *statement = prepared(
		row->db, row->streams
				 ? "UPDATE stream_blocks SET block = ? WHERE number = (SELECT number FROM stream_index"
				   " WHERE segment = ? AND stream = ? AND version = ?)"
				 : "UPDATE hash_index SET block = ? WHERE segment = ? AND kind = ? AND prefix = ?");

	block_end(&row->bytes, &row->key, next_major, next_minor);
	sqlite3_bind_blob(statement, 1, row->bytes.data, (int)row->bytes.size, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, (int64_t)row->key.segment);
	sqlite3_bind_int64(statement, 3, (int64_t)row->key.major);
	sqlite3_bind_int64(statement, 4, (int64_t)row->key.minor);
	CHECK_INT(sqlite3_step(statement), SQLITE_DONE);
	CHECK_INT(sqlite3_changes(row->db), 1);
	sqlite3_finalize(statement);
	sqlite3_close(row->db);
	buf_fini(&row->bytes);
}

static void
copy_original(void)
{
	char from[128], to[128];

	kit_path(&original, "moonlog.db", from);
	kit_path(&kit, "moonlog.db", to);
	kit_copy(from, to);
	kit_path(&kit, "moonlog.db-wal", to);
	unlink(to);
}

static void
begin(void)
{
	if (original.directory[0] == '\0') {
		kit_begin(&original);
		if (kit_open(&original) != 0)
			CHECK_FAIL("open: %s", original.fault.text);
		picture_fill(&original, ENTRIES);
		picture_take(&original, &before);
		kit_close(&original);
	}
	kit_begin(&kit);
	copy_original();
}

/* `exact`: no read may even fail, since the log itself is well. */
static void
look(const char *what, bool exact)
{
	for (int only = 1; only >= 0; only--) {
		struct findings findings;
		struct picture after;
		const char *silent;
		bool faults;

		kit.options.read_only = only;
		if (kit_open(&kit) != 0)
			CHECK_FAIL("%s: open: %s", what, kit.fault.text);
		picture_take(&kit, &after);
		silent = picture_differs(&before, &after, &faults);
		if (silent != NULL || (exact && faults))
			CHECK_FAIL("%s: %s differs", what, silent != NULL ? silent : "a fault");
		findings_take(&kit, &findings);
		if (only && (findings.kinds & 1u << VERIFY_INDEX) == 0)
			CHECK_FAIL("%s: verify does not tell", what);
		for (int i = 0; i < 20 && store_idle(kit.store); i++)
			;
		if (!only && kit_verify(&kit, NULL) != 0)
			CHECK_FAIL("%s: is not mended", what);
		kit_close(&kit);
	}
}

static void
forge_items(enum hash_kind kind, uint64_t segment, forge_hash forge, size_t cut, uint64_t next_minor)
{
	struct row_of_block row;
	struct block_reader reader;
	struct hash_item items[200];
	uint64_t base = 0;
	size_t count = 0;

	copy_original();
	load_hashes(&row, kind, segment);
	CHECK(block_open(&reader, buf_slice(&row.bytes), &row.key));
	while (!block_done(&reader)) {
		CHECK(count < countof(items) && block_next_hash(&reader, &items[count]));
		forge(&items[count++]);
	}
	CHECK(count != 0);
	block_begin(&row.bytes);
	for (size_t i = 0; i < count; i++)
		block_put_hash(&row.bytes, &base, items[i]);
	row.bytes.size -= cut;
	store_block(&row, 0, next_minor);
}

TEST(names_that_lead_elsewhere)
{
	begin();
	forge_items(HASH_NAMES, 1, reference_of_another, 0, 0);
	look("the names of other streams", true);
	forge_items(HASH_NAMES, 1, reference_to_nothing, 0, 0);
	look("names that lead to no stream", true);
	forge_items(HASH_NAMES, 1, nothing_forged, 1, 0);
	look("names cut off", true);
	forge_items(HASH_NAMES, 1, nothing_forged, 0, 1);
	look("names with another end", true);
	kit_end(&kit);
}

TEST(commands_that_lead_elsewhere)
{
	begin();
	forge_items(HASH_COMMANDS, 2, reference_of_another, 0, 0);
	look("the ids of other commands", true);
	forge_items(HASH_COMMANDS, 2, reference_to_nothing, 0, 0);
	look("ids that lead to no entry", true);
	forge_items(HASH_COMMANDS, 2, reference_to_a_bare, 0, 0);
	look("ids of commands without entries", true);
	forge_items(HASH_COMMANDS, 2, reference_to_no_bare, 0, 0);
	look("ids of no commands", true);
	forge_items(HASH_COMMANDS, 2, nothing_forged, 2, 0);
	look("ids cut off", true);
	kit_end(&kit);
}

struct stream_run {
	struct stream_item item;
	uint32_t offsets[64];
};

enum stream_forgery { LATER_VERSIONS, OTHER_OFFSETS, HUGE_COUNT, OFFSET_PAST_THE_END, NEXT_BEFORE, NEXT_SAME };

static size_t
read_runs(const struct row_of_block *row, struct stream_run runs[64])
{
	struct block_reader reader;
	size_t count = 0;

	CHECK(block_open(&reader, buf_slice(&row->bytes), &row->key));
	while (!block_done(&reader)) {
		CHECK(count < 64 && block_next_stream(&reader, &runs[count].item));
		for (uint32_t i = 0; i < runs[count].item.count; i++)
			CHECK(block_next_offset(&reader, &runs[count].item, &runs[count].offsets[i]));
		count++;
	}
	return count;
}

static void
forge_streams(uint64_t segment, enum stream_forgery how)
{
	static struct stream_run runs[64];
	struct row_of_block row;
	uint64_t base = 0;
	size_t count;

	copy_original();
	load_streams(&row, segment);
	count = read_runs(&row, runs);
	block_begin(&row.bytes);
	for (size_t i = 0; i < count; i++) {
		const struct stream_item *item = &runs[i].item;
		uint32_t written = item->count, last = 0;

		if (how == HUGE_COUNT)
			written = SEGMENT_SIZE + 1;
		block_put_stream(&row.bytes, &base, item->stream, item->first_version + (how == LATER_VERSIONS),
				 written);
		for (uint32_t k = 0; k < item->count && k < written; k++) {
			uint32_t offset = runs[i].offsets[k];

			if (how == OTHER_OFFSETS)
				offset = (offset + 1) % 64 > last ? (offset + 1) % 64 : last + 1;
			if (how == OFFSET_PAST_THE_END)
				offset += SEGMENT_SIZE;
			block_put_offset(&row.bytes, offset - last);
			last = offset;
		}
	}
	store_block(&row, how == NEXT_BEFORE || how == NEXT_SAME, how == NEXT_SAME);
}

TEST(versions_that_stand_elsewhere)
{
	begin();
	forge_streams(3, HUGE_COUNT);
	look("more versions than a segment has", true);
	forge_streams(3, OFFSET_PAST_THE_END);
	look("versions past the segment's end", true);
	forge_streams(3, NEXT_BEFORE);
	look("a block that names an earlier one", true);
	forge_streams(3, NEXT_SAME);
	look("a block that names itself", true);
	forge_streams(3, OTHER_OFFSETS);
	look("versions at other positions", false);
	forge_streams(3, LATER_VERSIONS);
	look("later versions than there are", false);
	kit_end(&kit);
}

/* Any bytes with the right check: nothing but a wrong answer's absence is asked for here; sanitizers look on. */
TEST(any_bytes_with_the_right_check_are_survived)
{
	uint64_t chance = 4711;

	begin();
	for (int i = 0; i < 120; i++) {
		struct row_of_block row;
		struct findings findings;
		struct picture after;

		copy_original();
		if (i % 3 == 0)
			load_streams(&row, 1 + (uint64_t)i % 6);
		else
			load_hashes(&row, (enum hash_kind)(i % 3 - 1), 1 + (uint64_t)i % 6);
		for (int k = 0; k < 3 && row.bytes.size > 30; k++) {
			chance = chance * 6364136223846793005u + 1442695040888963407u;
			row.bytes.data[20 + (chance >> 33) % (row.bytes.size - 20)] ^= (char)(chance >> 20 | 1);
		}
		row.bytes.size -= (chance >> 50) % 4;
		store_block(&row, 0, 0);
		kit.options.read_only = i % 2;
		CHECK_INT(kit_open(&kit), 0);
		picture_take(&kit, &after);
		findings_take(&kit, &findings);
		CHECK(findings.count > 0 || i % 2 == 0);
		for (int k = 0; k < 20 && store_idle(kit.store); k++)
			;
		CHECK(i % 2 == 1 || kit_verify(&kit, NULL) == 0);
		kit_close(&kit);
	}
	kit_end(&kit);
}

/* The ranges that segments say they cover, sealed anew. */
static void
forge_range(uint64_t segment, size_t field, uint64_t value)
{
	uint8_t bytes[RANGE_SIZE];
	sqlite3_stmt *statement, *put;
	sqlite3 *db;

	copy_original();
	db = open_copy();
	statement = prepared(db, "SELECT ranges, names, streams, commands FROM segments WHERE number = ?");
	put = prepared(db, "UPDATE segments SET ranges = ?, seal = ? WHERE number = ?");
	sqlite3_bind_int64(statement, 1, (int64_t)segment);
	CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
	CHECK_INT(sqlite3_column_bytes(statement, 0), RANGE_SIZE);
	memcpy(bytes, sqlite3_column_blob(statement, 0), RANGE_SIZE);
	for (size_t i = 0; i < 8; i++)
		bytes[8 * field + i] = (uint8_t)(value >> (8 * i));
	sqlite3_bind_blob(put, 1, bytes, RANGE_SIZE, SQLITE_STATIC);
	sqlite3_bind_int64(put, 2,
			   range_seal(slice_from(bytes, RANGE_SIZE), link_slice(statement, 1), link_slice(statement, 2),
				      link_slice(statement, 3)));
	sqlite3_bind_int64(put, 3, (int64_t)segment);
	CHECK_INT(sqlite3_step(put), SQLITE_DONE);
	sqlite3_finalize(statement);
	sqlite3_finalize(put);
	sqlite3_close(db);
}

/*
 * Fields: number, first, last, first_bare, last_bare, first_born, last_born. What does not follow was never sealed; a
 * segment that claims too much with the right check is found by verify.
 */
TEST(ranges_that_do_not_follow_are_not_believed)
{
	static const uint64_t values[] = { 0, 1, 70, 400, 131300, UINT64_MAX };

	begin();
	for (size_t field = 0; field < 7; field++)
		for (size_t i = 0; i < countof(values); i++) {
			struct findings findings;
			struct picture after;
			const char *silent;
			bool faults;

			forge_range(2, field, values[i]);
			for (int only = 1; only >= 0; only--) {
				kit.options.read_only = only;
				if (kit_open(&kit) != 0) {
					CHECK_INT(kit.fault.class, FAULT_CORRUPT);
					continue;
				}
				picture_take(&kit, &after);
				silent = picture_differs(&before, &after, &faults);
				findings_take(&kit, &findings);
				if (silent != NULL && findings.count == 0)
					CHECK_FAIL("field %zu, %llu: %s differs, verify finds nothing", field,
						   (unsigned long long)values[i], silent);
				for (int k = 0; k < 20 && store_idle(kit.store); k++)
					;
				kit_close(&kit);
			}
		}
	kit_end(&kit);
}

/* Two damaged neighbours, the first, the last: what cannot be told from its neighbours was never sealed. */
TEST(damaged_segments_beside_each_other)
{
	static const char *const wrongs[] = {
		"UPDATE segments SET seal = 0 WHERE number IN (2, 3)",
		"UPDATE segments SET seal = 0 WHERE number = 1",
		"UPDATE segments SET seal = 0 WHERE number = 6",
		"UPDATE segments SET number = number + 10 WHERE number > 3",
		"UPDATE segments SET ranges = x'00' WHERE number = 3",
		"UPDATE segments SET seal = 0",
		"DELETE FROM segments WHERE number = 1",
	};

	begin();
	for (size_t i = 0; i < countof(wrongs); i++) {
		copy_original();
		for (int only = 1; only >= 0; only--) {
			struct picture after;
			const char *silent;
			bool faults;

			if (only) {
				sqlite3 *db = open_copy();

				CHECK_INT(sqlite3_exec(db, wrongs[i], NULL, NULL, NULL), SQLITE_OK);
				sqlite3_close(db);
			}
			kit.options.read_only = only;
			if (kit_open(&kit) != 0)
				CHECK_FAIL("%s: %s", wrongs[i], kit.fault.text);
			picture_take(&kit, &after);
			silent = picture_differs(&before, &after, &faults);
			if (silent != NULL || faults)
				CHECK_FAIL("%s: %s differs", wrongs[i], silent != NULL ? silent : "a fault");
			if (!only)
				for (int k = 0; k < 20 && store_idle(kit.store); k++)
					;
			if (!only && kit_verify(&kit, NULL) != 0)
				CHECK_FAIL("%s: is not mended", wrongs[i]);
			kit_close(&kit);
		}
	}
	kit_end(&kit);
}

TEST(it_is_cleaned_up)
{
	kit_end(&original);
}

TEST_MAIN()
