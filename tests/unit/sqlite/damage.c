/* SPDX-License-Identifier: MIT */
/*
 * Flipped bits: one bit of a copied store is flipped, everything read, the bit flipped back. Each read must give what
 * it gave before, or a fault; when anything differs, verify must have found something, and when an event cannot be
 * read, where: its stream and position, or the range of an unreadable page. FLIPS=n sets how many, SEED=n which, BIT=n
 * the one.
 */
#include <sqlite3.h>
#include <unistd.h>

#include "support/check.h"
#include "unit/sqlite/picture.h"

#ifdef __SANITIZE_ADDRESS__
#define FLIPS 500
#else
#define FLIPS 2000
#endif
#define ENTRIES 400

static struct kit original, damaged;

static void
make_original(void)
{
	kit_begin(&original);
	if (kit_open(&original) != 0)
		CHECK_FAIL("open: %s", original.fault.text);
	picture_fill(&original, ENTRIES);
	kit_close(&original);
}

static void
copy_witness(char from[128], char to[128])
{
	kit_path(&original, "witness", from);
	kit_path(&damaged, "witness", to);
	kit_copy(from, to);
}

static void
flip(const char *path, long bit)
{
	FILE *file = fopen(path, "r+b");
	int byte;

	CHECK(file != NULL);
	fseek(file, bit / 8, SEEK_SET);
	byte = fgetc(file);
	fseek(file, bit / 8, SEEK_SET);
	fputc(byte ^ 1 << (bit % 8), file);
	fclose(file);
}

static long
setting(const char *name, long otherwise)
{
	return getenv(name) != NULL ? strtol(getenv(name), NULL, 10) : otherwise;
}

/* Opens the damaged copy and looks. false: it could not be opened, which is a report too. */
static bool
look_at_damaged(bool read_only, struct picture *picture, struct findings *findings)
{
	damaged.options.read_only = read_only;
	damaged.options.create = false;
	if (kit_open(&damaged) != 0)
		return false;
	picture_take(&damaged, picture);
	findings_take(&damaged, findings);
	kit_close(&damaged);
	return true;
}

/* Puts the copy back as it was; a store that was only read is still the original's but for the flipped bit. */
static void
restore_copy(const char *from, const char *to, bool written, long bit)
{
	char path[128];

	if (!written) {
		flip(to, bit);
		return;
	}
	kit_path(&damaged, "moonlog.db-wal", path);
	unlink(path);
	kit_copy(from, to);
}

TEST(flipped_bits_are_found_by_reads_and_by_verify)
{
	long flips = setting("FLIPS", FLIPS), changed = 0, unopened = 0, unseen = 0, by_verify = 0, size;
	uint64_t chance = (uint64_t)setting("SEED", 1) * 77777;
	struct picture before, after;
	struct findings findings;
	char from[128], to[128];
	FILE *file;

	make_original();
	kit_begin(&damaged);
	copy_witness(from, to);
	kit_path(&original, "moonlog.db", from);
	kit_path(&damaged, "moonlog.db", to);
	kit_copy(from, to);
	CHECK(look_at_damaged(true, &before, &findings));
	CHECK_INT(findings.count, 0);
	file = fopen(from, "rb");
	CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
	size = ftell(file);
	fclose(file);
	for (long i = 0; i < flips; i++) {
		const char *silent;
		bool faults, written = i % 2 == 0;
		long bit;

		chance = chance * 6364136223846793005u + 1442695040888963407u;
		bit = setting("BIT", (long)((chance >> 20) % ((uint64_t)size * 8)));
		flip(to, bit);
		/* A writer changes the file, so it costs a fresh copy. */
		bool opened = look_at_damaged(!written, &after, &findings);
		restore_copy(from, to, written, bit);
		if (!opened) {
			changed++;
			unopened++;
			continue;
		}
		silent = picture_differs(&before, &after, &faults);
		/*
		 * A record whose cell vanished inside its page leaves no trace beside it: there verify alone tells.
		 */
		if (silent != NULL && strstr(silent, "record") != NULL && findings.count > 0) {
			by_verify++;
		} else if (silent != NULL) {
			fprintf(stderr,
				"flip of bit %ld (page %ld, byte %ld): %s differs without a fault (%ld findings)\n",
				bit, bit / 8 / 8192 + 1, bit / 8 % 8192, silent, findings.count);
			unseen++;
		}
		if (after.reads[0] == 0 && findings.count != 0 && !(findings.placed && findings.named)) {
			fprintf(stderr, "flip of bit %ld (page %ld, byte %ld): verify does not say where\n", bit,
				bit / 8 / 8192 + 1, bit / 8 % 8192);
			unseen++;
		}
		if (faults && findings.count == 0) {
			fprintf(stderr, "flip of bit %ld (page %ld, byte %ld): reads fail, verify finds nothing\n", bit,
				bit / 8 / 8192 + 1, bit / 8 % 8192);
			unseen++;
		}
		changed += faults || silent != NULL;
	}
	kit_end(&damaged);
	kit_end(&original);
	printf("%ld flips, %ld changed what reads give (%ld: it does not open), %ld of them seen by verify alone, %ld "
	       "unseen\n",
	       flips, changed, unopened, by_verify, unseen);
	CHECK_INT(unseen, 0);
	CHECK(changed > flips / 4);
}

static void
sabotage(const char *sql)
{
	char path[128];
	sqlite3 *db;

	kit_path(&damaged, "moonlog.db", path);
	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* What schema 3 had: the blocks beside their keys. Whoever may write moves them; nothing else changes. */
TEST(a_store_of_an_earlier_schema_is_brought_up_to_date)
{
	struct picture before, after;
	struct findings findings;
	char from[128], to[128];
	const char *silent;
	bool faults;

	make_original();
	kit_begin(&damaged);
	copy_witness(from, to);
	kit_path(&original, "moonlog.db", from);
	kit_path(&damaged, "moonlog.db", to);
	kit_copy(from, to);
	CHECK(look_at_damaged(false, &before, &findings));
	kit_copy(from, to);
	sabotage(KIT_AS_SCHEMA_3);
	CHECK(look_at_damaged(true, &after, &findings));
	silent = picture_differs(&before, &after, &faults);
	if (silent != NULL || faults)
		CHECK_FAIL("%s differs", silent != NULL ? silent : "a fault");
	CHECK_INT(findings.count, 0);
	CHECK(look_at_damaged(false, &after, &findings));
	CHECK(picture_differs(&before, &after, &faults) == NULL && !faults);
	CHECK_INT(findings.count, 0);
	CHECK(look_at_damaged(true, &after, &findings));
	CHECK(picture_differs(&before, &after, &faults) == NULL && !faults);
	kit_end(&damaged);
	kit_end(&original);
}

/* Rows lost or changed in the index: reads go to the log instead and give the same; verify tells; idle mends. */
TEST(a_wrong_index_is_never_believed)
{
	static const char *const wrongs[] = {
		"DELETE FROM stream_index WHERE segment = 2",
		"DELETE FROM hash_index WHERE segment = 1 AND kind = 0",
		"DELETE FROM hash_index WHERE segment = 3 AND kind = 1",
		"UPDATE stream_blocks SET block = zeroblob(40) WHERE number >> 20 = 3",
		"UPDATE stream_index SET number = (SELECT min(number) FROM stream_blocks) WHERE segment = 3",
		"UPDATE stream_index SET number = 0 WHERE segment = 3",
		"DELETE FROM stream_blocks WHERE number >> 20 = 2",
		"DELETE FROM segments WHERE number = 2",
		"UPDATE segments SET names = zeroblob(length(names)) WHERE number = 1",
		"UPDATE segments SET streams = NULL WHERE number = 4",
		"DELETE FROM segments",
		"DELETE FROM segments; DELETE FROM stream_index; DELETE FROM stream_blocks; DELETE FROM hash_index",
	};
	struct picture before, after;
	struct findings findings;
	char from[128], to[128];

	make_original();
	kit_begin(&damaged);
	copy_witness(from, to);
	kit_path(&original, "moonlog.db", from);
	kit_path(&damaged, "moonlog.db", to);
	kit_copy(from, to);
	CHECK(look_at_damaged(true, &before, &findings));
	for (size_t i = 0; i < countof(wrongs); i++) {
		for (int only = 1; only >= 0; only--) {
			bool faults;
			const char *silent;

			kit_copy(from, to);
			sabotage(wrongs[i]);
			CHECK(look_at_damaged(only, &after, &findings));
			silent = picture_differs(&before, &after, &faults);
			if (silent != NULL || faults)
				CHECK_FAIL("%s: %s differs", wrongs[i], silent != NULL ? silent : "a fault");
			/*
			 * A writer that found the damage while opening has already taken that part of the log as
			 * unsealed.
			 */
			if (only && i < 5)
				CHECK(findings.count > 0);
		}
		damaged.options.read_only = false;
		CHECK_INT(kit_open(&damaged), 0);
		kit_verify(&damaged, NULL);
		for (int k = 0; k < 20 && store_idle(damaged.store); k++)
			;
		CHECK_INT(kit_verify(&damaged, NULL), 0);
		kit_close(&damaged);
	}
	kit_end(&damaged);
	kit_end(&original);
}

/* A read of events alone passes messages unread, but goes by what is sealed: an event cannot become a message. */
TEST(an_event_of_a_wrong_type_is_not_passed_over)
{
	struct append_stream streams[] = { { SLICE("shop.cart/1"), { EXPECTED_ANY, 0 } } };
	struct new_entry entry = {
		.kind = ENTRY_DOCUMENT, .schema_version = 1, .type = SLICE("Kept"), .data = SLICE("{}")
	};
	struct append append = {
		.streams = streams, .stream_count = 1, .entries = &entry, .entry_count = 1, .arena = &damaged.arena
	};
	struct append *appends[] = { &append };
	const struct log_filter filter = { .events_only = true };
	struct entries read;
	log_position seen;

	kit_begin(&damaged);
	CHECK_INT(kit_open(&damaged), 0);
	kit_fill(&damaged, 5, 1);
	entry_digest(&entry, streams[0].name, 0, &append.provenance, &entry.digest);
	CHECK_INT(store_commit(damaged.store, appends, 1, &damaged.fault), COMMIT_DONE);
	CHECK_INT(store_read_log(damaged.reader, 0, &filter, (struct read_limit){ 100, 0 }, &damaged.arena, &read,
				 &seen, &damaged.fault),
		  0);
	CHECK_INT(read.count, 5);
	CHECK_INT(seen, 6);
	kit_close(&damaged);
	sabotage("UPDATE entries SET type = (SELECT id FROM types WHERE kind = 3) WHERE position = 3");
	CHECK_INT(kit_open(&damaged), 0);
	CHECK_INT(store_read_log(damaged.reader, 0, &filter, (struct read_limit){ 100, 0 }, &damaged.arena, &read,
				 &seen, &damaged.fault),
		  -1);
	CHECK_TEXT(damaged.fault.code, "digest_mismatch");
	kit_end(&damaged);
}

TEST_MAIN()
