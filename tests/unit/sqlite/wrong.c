/* SPDX-License-Identifier: MIT */
/*
 * Wrong rows, one kind after the other: lost, changed, of other types, or changed by somebody who also made the row's
 * own seal right. Each read gives what it gave before, or a fault; verify finds each, of the kind that is expected; a
 * writer opens or refuses, and never writes after what it cannot follow [I1] [I2] [I4].
 */
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/probe.h"
#include "store/sqlite/row.h"
#include "support/check.h"
#include "unit/sqlite/picture.h"

#define ENTRIES 400 /* segments of 64: sealed to position 384, then a tail */
#define KIND(k) (1u << VERIFY_##k)

static struct kit original, kit;
static struct picture before;

/* sealed(position, stream, version, at, part, command, link): the link with the seal that these columns give. */
static void
sealed(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct row row = { .position = (uint64_t)sqlite3_value_int64(values[0]),
			   .stream = (uint64_t)sqlite3_value_int64(values[1]),
			   .version = (uint64_t)sqlite3_value_int64(values[2]),
			   .at = sqlite3_value_int64(values[3]) + ROW_EPOCH_US,
			   .part = (uint32_t)sqlite3_value_int64(values[4]) };
	uint8_t link[CHECK_SIZE + SEAL_SIZE];
	uint32_t seal;

	(void)count;
	row.command = slice_from(sqlite3_value_blob(values[5]), (size_t)sqlite3_value_bytes(values[5]));
	memcpy(link, sqlite3_value_blob(values[6]), CHECK_SIZE);
	memcpy(row.link.bytes, link, CHECK_SIZE);
	seal = row_seal(&row);
	for (int i = 0; i < SEAL_SIZE; i++)
		link[CHECK_SIZE + i] = (uint8_t)(seal >> (8 * i));
	sqlite3_result_blob(context, link, sizeof(link), SQLITE_TRANSIENT);
}

/* bare_seal(number, position, at, command) */
static void
bare_seal(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct slice command = slice_from(sqlite3_value_blob(values[3]), (size_t)sqlite3_value_bytes(values[3]));

	(void)count;
	sqlite3_result_int64(context, row_seal_bare((uint64_t)sqlite3_value_int64(values[0]),
						    (uint64_t)sqlite3_value_int64(values[1]),
						    sqlite3_value_int64(values[2]), command));
}

static void
change(struct kit *at, const char *sql)
{
	char path[128], *message = NULL;
	sqlite3 *db;

	kit_path(at, "moonlog.db", path);
	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_create_function(db, "sealed", 7, SQLITE_UTF8, NULL, sealed, NULL, NULL);
	sqlite3_create_function(db, "bare_seal", 4, SQLITE_UTF8, NULL, bare_seal, NULL, NULL);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		CHECK_FAIL("%s: %s", sql, message);
	if (sqlite3_total_changes(db) == 0 && strncmp(sql, "PRAGMA", 6) != 0)
		CHECK_FAIL("%s: nothing was changed", sql);
	sqlite3_close(db);
}

static void
copy_original(void)
{
	static const char *const files[] = { "moonlog.db", "witness" };
	char from[128], to[128];

	for (size_t i = 0; i < countof(files); i++) {
		kit_path(&original, files[i], from);
		kit_path(&kit, files[i], to);
		kit_copy(from, to);
	}
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

static void
open_or_fail(bool read_only)
{
	kit.options.read_only = read_only;
	if (kit_open(&kit) != 0)
		CHECK_FAIL("open: %s: %s", kit.fault.code, kit.fault.text);
}

struct wrong {
	const char *sql;
	unsigned kinds; /* at least one of them is found */
	bool fails;     /* some read gives a fault, and none of the writer's beginnings is a success without one */
};

#define RESEAL       ", link = sealed(position, stream, version, at, part, command, link)"
#define SEALED(what) "link = sealed(" what ", link)"

static const struct wrong wrongs[] = {
	/* The log. */
	{ "DELETE FROM entries WHERE position = 100", KIND(POSITION), true },
	{ "DELETE FROM entries WHERE position BETWEEN 100 AND 130", KIND(POSITION), true },
	{ "DELETE FROM entries WHERE position = 1", KIND(POSITION), true },
	{ "DELETE FROM entries WHERE position = 390", KIND(POSITION), true },
	{ "DELETE FROM entries WHERE position >= 396", KIND(TAIL), false },
	{ "UPDATE entries SET position = 1000 WHERE position = 400", KIND(POSITION), true },
	{ "UPDATE entries SET link = x'00' WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET link = x'00' WHERE position = 400", KIND(CONTENT), true },
	{ "UPDATE entries SET link = zeroblob(19) WHERE position = 390", KIND(CONTENT), true },
	{ "UPDATE entries SET digest = x'00' WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET digest = zeroblob(16) WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET part = -1 WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET part = 1 << 40 WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET version = version + 1 WHERE position = 101", KIND(CONTENT), true },
	{ "UPDATE entries SET at = at + 1 WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET type = 99 WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET type = 0 WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET type = 3 - type WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET data = '{}' WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET meta = x'ff' WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET meta = x'0109' WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET meta = x'01ffffffffffffffffffff01' WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET meta = x'010041' WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET meta = x'40' WHERE position = 100", KIND(CONTENT), true },
	{ "UPDATE entries SET command = x'00' WHERE position = 31", KIND(CONTENT), true },
	/* The same by somebody who seals the row anew. */
	{ "UPDATE entries SET version = version + 1, " SEALED(
		  "position, stream, version + 1, at, part, command") " WHERE position = 101",
	  KIND(VERSION), false },
	{ "UPDATE entries SET stream = stream + 1, " SEALED(
		  "position, stream + 1, version, at, part, command") " WHERE position = 101",
	  KIND(CONTENT), true },
	{ "UPDATE entries SET stream = 0, " SEALED("position, 0, version, at, part, command") " WHERE position = 101",
	  KIND(CONTENT), true },
	{ "UPDATE entries SET stream = 9999, " SEALED(
		  "position, 9999, version, at, part, command") " WHERE position = 101",
	  KIND(CONTENT), true },
	{ "UPDATE entries SET stream = 9999, " SEALED(
		  "position, 9999, version, at, part, command") " WHERE position = 391",
	  KIND(CONTENT), false },
	{ "UPDATE entries SET part = 1029, " SEALED(
		  "position, stream, version, at, 1029, command") " WHERE position = 101",
	  KIND(CONTENT), true },
	{ "UPDATE entries SET part = 5124, " SEALED(
		  "position, stream, version, at, 5124, command") " WHERE position = 2",
	  KIND(CONTENT), true },
	{ "UPDATE entries SET part = 3073, " SEALED(
		  "position, stream, version, at, 3073, command") " WHERE position = 101",
	  KIND(POSITION), false },
	{ "UPDATE entries SET part = 3072, " SEALED(
		  "position, stream, version, at, 3072, command") " WHERE position = 101",
	  KIND(POSITION), false },
	{ "UPDATE entries SET at = 5, " SEALED("position, stream, version, 5, part, command") " WHERE position = 101",
	  KIND(POSITION), false },
	{ "UPDATE entries SET command = x'00', " SEALED(
		  "position, stream, version, at, part, x'00'") " WHERE position = 31",
	  KIND(INDEX), false },
	{ "UPDATE entries SET command = NULL, " SEALED(
		  "position, stream, version, at, part, NULL") " WHERE position = 31",
	  KIND(INDEX), false },
	{ "UPDATE entries SET command = zeroblob(24), " SEALED(
		  "position, stream, version, at, part, zeroblob(24)") " WHERE position = 31",
	  KIND(INDEX), false },
	/* Names, types, commands without entries, records. */
	{ "DELETE FROM streams WHERE id = 5", KIND(CONTENT), true },
	{ "UPDATE streams SET id = 500 WHERE id = 5", KIND(CONTENT), true },
	{ "UPDATE streams SET name = CAST(name AS BLOB) WHERE id = 5", KIND(CONTENT), true },
	{ "UPDATE streams SET name = 'shop.cart/zz' WHERE id = 5", KIND(CONTENT), true },
	{ "UPDATE streams SET seal = 0 WHERE id = 5", KIND(CONTENT), true },
	{ "DELETE FROM streams WHERE id = (SELECT stream FROM entries WHERE position = 10)", KIND(CONTENT), true },
	{ "DELETE FROM types WHERE id = 2", KIND(CONTENT), true },
	{ "DELETE FROM types WHERE id = 1", KIND(CONTENT), true },
	{ "UPDATE types SET id = 7 WHERE id = 1", KIND(CONTENT), true },
	{ "UPDATE types SET topic = 'other' WHERE id = 2", KIND(CONTENT), true },
	{ "UPDATE bares SET seal = 0 WHERE number = 1", KIND(RECORD), true },
	{ "UPDATE bares SET seal = 0 WHERE number = 40", KIND(RECORD), true },
	{ "UPDATE bares SET command = x'00' WHERE number = 1", KIND(RECORD), true },
	{ "UPDATE bares SET command = x'00', seal = bare_seal(number, position, at, x'00') WHERE number = 1",
	  KIND(INDEX), false },
	{ "UPDATE bares SET command = x'00', seal = bare_seal(number, position, at, x'00') WHERE number = 40",
	  KIND(RECORD), false },
	{ "DELETE FROM bares WHERE number = 1", KIND(RECORD), false },
	{ "DELETE FROM bares WHERE number = 20", KIND(RECORD), false },
	{ "UPDATE records SET seal = 0 WHERE key = CAST('key-8' AS BLOB)", KIND(RECORD), true },
	{ "UPDATE records SET value = x'01' WHERE key = CAST('key-8' AS BLOB)", KIND(RECORD), true },
	{ "UPDATE records SET key = CAST('key-7' AS BLOB) WHERE key = CAST('key-8' AS BLOB)", KIND(RECORD), true },
	{ "UPDATE records SET space = 'spade' WHERE key = CAST('key-58' AS BLOB)", KIND(RECORD), false },
};

static int complaints;

/* All of them are wanted at once. */
static void
complain(const char *format, ...)
{
	va_list rest;

	va_start(rest, format);
	vfprintf(stderr, format, rest);
	va_end(rest);
	fputc('\n', stderr);
	complaints++;
}

/* As somebody who reads beside nobody. */
static void
look_as_reader(const struct wrong *wrong)
{
	struct findings findings;
	struct picture after;
	const char *silent;
	bool faults;

	kit.options.read_only = true;
	if (kit_open(&kit) != 0) {
		if (!wrong->fails || kit.fault.class != FAULT_CORRUPT)
			complain("%s: open: %s", wrong->sql, kit.fault.text);
		return;
	}
	picture_take(&kit, &after);
	silent = picture_differs(&before, &after, &faults);
	findings_take(&kit, &findings);
	kit_close(&kit);
	if (silent != NULL && wrong->fails)
		complain("%s: %s differs without a fault", wrong->sql, silent);
	if (wrong->fails && !faults)
		complain("%s: no read fails", wrong->sql);
	if (findings.count == 0 || (wrong->kinds != 0 && (findings.kinds & wrong->kinds) == 0))
		complain("%s: %ld findings, kinds %x", wrong->sql, findings.count, findings.kinds);
}

/* As the daemon: it refuses to open with a class that says why, or opens and tells as a reader does. */
static void
look_as_writer(const struct wrong *wrong)
{
	struct findings findings;
	struct picture after;
	bool faults;

	kit.options.read_only = false;
	if (kit_open(&kit) != 0) {
		if (kit.fault.class != FAULT_CORRUPT && kit.fault.class != FAULT_CONFIG)
			complain("%s: open: %s", wrong->sql, kit.fault.text);
		return;
	}
	picture_take(&kit, &after);
	if (picture_differs(&before, &after, &faults) != NULL && wrong->fails)
		complain("%s: a writer's reads differ without a fault", wrong->sql);
	for (int i = 0; i < 10 && store_idle(kit.store); i++)
		;
	findings_take(&kit, &findings);
	kit_close(&kit);
}

TEST(wrong_rows_are_found)
{
	complaints = 0;
	begin();
	for (size_t i = 0; i < countof(wrongs); i++) {
		copy_original();
		change(&kit, wrongs[i].sql);
		look_as_reader(&wrongs[i]);
		look_as_writer(&wrongs[i]);
	}
	kit_end(&kit);
	CHECK_INT(complaints, 0);
}

/* Each page in turn is empty: whatever it held, nothing is served for it, and verify says which positions it hid. */
TEST(unreadable_pages_are_found)
{
	char path[128];
	struct stat found;

	begin();
	kit_path(&kit, "moonlog.db", path);
	CHECK_INT(stat(path, &found), 0);
	for (long page = 1; page < found.st_size / 8192; page++) {
		static const char zeroes[8192];
		struct findings findings;
		struct picture after;
		const char *silent;
		FILE *file;
		bool faults;

		copy_original();
		file = fopen(path, "r+b");
		CHECK(file != NULL && fseek(file, page * 8192, SEEK_SET) == 0 &&
		      fwrite(zeroes, 1, sizeof(zeroes), file) == sizeof(zeroes));
		fclose(file);
		for (int writer = 0; writer < 2; writer++) {
			kit.options.read_only = writer == 0;
			if (kit_open(&kit) != 0) {
				CHECK(kit.fault.class == FAULT_CORRUPT);
				continue;
			}
			picture_take(&kit, &after);
			silent = picture_differs(&before, &after, &faults);
			findings_take(&kit, &findings);
			kit_close(&kit);
			if (silent != NULL)
				CHECK_FAIL("page %ld: %s differs without a fault", page + 1, silent);
			if (faults && findings.count == 0)
				CHECK_FAIL("page %ld: reads fail, verify finds nothing", page + 1);
			if (after.reads[0] == 0 && !findings.placed)
				CHECK_FAIL("page %ld: verify does not say where", page + 1);
		}
	}
	kit_end(&kit);
}

/* Settings, file heads, and what else is looked at before the first row. */
TEST(wrong_settings_are_refused)
{
	static const struct {
		const char *sql, *code;
	} settings[] = {
		{ "UPDATE settings SET value = value + 1 WHERE name = 'seed'", "settings_mismatch" },
		{ "DELETE FROM settings WHERE name = 'seed_check'", "settings_mismatch" },
		{ "DELETE FROM settings", "settings_mismatch" },
		{ "PRAGMA application_id = 7", "not_a_store" },
		{ "PRAGMA application_id = 0", "not_a_store" },
		{ "PRAGMA user_version = 99", "newer_store" },
	};

	begin();
	for (size_t i = 0; i < countof(settings); i++)
		for (int only = 0; only < 2; only++) {
			copy_original();
			change(&kit, settings[i].sql);
			kit.options.read_only = only;
			CHECK_INT(kit_open(&kit), -1);
			CHECK_TEXT(kit.fault.code, settings[i].code);
		}
	kit_end(&kit);
}

/* A witness that is none proves nothing and keeps nobody from opening; verify says so until it is written anew [I2]. */
TEST(a_wrong_witness_is_told)
{
	static const char *const witnesses[] = {
		"",
		"position 00000000000000000400",
		"position 00000000000000009999 link 00000000000000000000000000000000 check 00000000                \n",
		"position 00000000000000009999 link 0000                             check 00000000                \n",
		"nothing of the kind, but long enough for a line of a witness, which has 88 bytes in all........\n",
		NULL, /* no file */
	};

	begin();
	for (size_t i = 0; i < countof(witnesses); i++) {
		struct append append;
		unsigned kinds;
		char path[128];
		FILE *file;

		copy_original();
		kit_path(&kit, "witness", path);
		unlink(path);
		file = witnesses[i] != NULL ? fopen(path, "wb") : NULL;
		CHECK(witnesses[i] == NULL || (file != NULL && fputs(witnesses[i], file) >= 0));
		if (file != NULL)
			fclose(file);
		open_or_fail(true);
		CHECK_INT(kit_verify(&kit, &kinds), 1);
		CHECK_INT(kinds, KIND(TAIL));
		kit_close(&kit);
		open_or_fail(false); /* it is written anew */
		CHECK_INT(kit_verify(&kit, NULL), 0);
		CHECK_INT(kit_put(&kit, "shop.cart/1", "{}", NULL, &append), COMMIT_DONE);
		kit_close(&kit);
		open_or_fail(true);
		CHECK_INT(kit_verify(&kit, NULL), 0);
		kit_close(&kit);
	}
	kit_end(&kit);
}

/* Of an empty log none need be there; bytes that are no witness are told there too. */
TEST(a_witness_of_an_empty_log)
{
	char path[128];
	unsigned kinds;
	FILE *file;

	kit_begin(&kit);
	open_or_fail(false);
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_close(&kit);
	kit_path(&kit, "witness", path);
	CHECK_INT(unlink(path), 0);
	open_or_fail(true);
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_close(&kit);
	file = fopen(path, "wb");
	CHECK(file != NULL && fputs("garbage", file) >= 0);
	fclose(file);
	open_or_fail(true);
	CHECK_INT(kit_verify(&kit, &kinds), 1);
	CHECK_INT(kinds, KIND(TAIL));
	kit_close(&kit);
	open_or_fail(false);
	kit_close(&kit);
	open_or_fail(true);
	CHECK_INT(kit_verify(&kit, NULL), 0);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(mkdir(path, 0700), 0);
	CHECK_INT(kit_verify(&kit, &kinds), 1);
	CHECK_INT(kinds, KIND(TAIL));
	CHECK_INT(rmdir(path), 0);
	kit_end(&kit);
}

/* Appends of a group that meets damage: the one that asks about the damaged record fails alone [I3]. */
struct trio {
	struct append_stream streams[3];
	struct new_entry entry;
	struct record_write record;
	struct append appends[3], *all[3];
};

static void
make_trio(struct trio *trio)
{
	*trio = (struct trio){
		.streams = { { SLICE("shop.cart/a"), { EXPECTED_ANY, 0 } },
			     { SLICE("shop.cart/a"), { EXPECTED_ANY, 0 } },
			     { SLICE("shop.cart/a"), { EXPECTED_ANY, 0 } } },
		.entry = { .kind = ENTRY_EVENT, .schema_version = 1, .type = SLICE("Put"), .data = SLICE("{}") },
		.record = { RECORD_EQUALS, SLICE("space"), SLICE("key-8"), SLICE("1"), SLICE("2") },
	};
	for (size_t i = 0; i < 3; i++) {
		trio->appends[i] = (struct append){ .streams = &trio->streams[i],
						    .stream_count = 1,
						    .entries = &trio->entry,
						    .entry_count = 1,
						    .arena = &kit.arena };
		trio->all[i] = &trio->appends[i];
	}
	trio->appends[1].records = &trio->record;
	trio->appends[1].record_count = 1;
	entry_digest(&trio->entry, trio->streams[0].name, 0, &trio->appends[0].provenance, &trio->entry.digest);
}

TEST(an_append_that_meets_damage_fails_alone)
{
	struct trio trio;

	begin();
	change(&kit, "UPDATE records SET seal = 0 WHERE key = CAST('key-8' AS BLOB)");
	open_or_fail(false);
	make_trio(&trio);
	CHECK_INT(store_commit(kit.store, trio.all, 3, &kit.fault), COMMIT_DONE);
	CHECK_INT(trio.appends[0].answer, APPEND_DONE);
	CHECK_INT(trio.appends[1].answer, APPEND_FAILED);
	CHECK_TEXT(trio.appends[1].fault.code, "record_mismatch");
	CHECK_INT(trio.appends[2].answer, APPEND_DONE);
	CHECK_INT(trio.appends[2].versions[0], 2);
	/* One that was refused at the door stays refused through it. */
	make_trio(&trio);
	trio.appends[0].arena = NULL;
	CHECK_INT(store_commit(kit.store, trio.all, 3, NULL), COMMIT_DONE);
	CHECK_INT(trio.appends[0].answer, APPEND_FAILED);
	CHECK_INT(trio.appends[1].answer, APPEND_FAILED);
	CHECK_INT(trio.appends[2].versions[0], 3);
	CHECK_INT(store_head(kit.store), ENTRIES + 3);
	kit_end(&kit);
}

/* Tried alone, the first append cannot be written: nothing was attempted. A later one: it alone. */
TEST(a_disk_that_fails_beside_damage_is_told_apart)
{
	static const char *const probes[] = { "commit.before_insert:1:fail", "commit.before_insert:2:fail",
					      "commit.before_sync:2:fail" };
	static const enum commit_result results[] = { COMMIT_NOT_ATTEMPTED, COMMIT_DONE, COMMIT_UNKNOWN };

	for (size_t i = 0; i < countof(probes); i++) {
		struct trio trio;

		begin();
		change(&kit, "UPDATE records SET seal = 0 WHERE key = CAST('key-8' AS BLOB)");
		open_or_fail(false);
		make_trio(&trio);
		CHECK_INT(probe_setup(probes[i]), 0);
		CHECK_INT(store_commit(kit.store, trio.all, 3, &kit.fault), results[i]);
		CHECK_INT(trio.appends[0].answer, i == 0 ? APPEND_NONE : APPEND_DONE);
		CHECK_INT(trio.appends[1].answer, i == 0 ? APPEND_NONE : APPEND_FAILED);
		CHECK_INT(trio.appends[2].answer, i == 1 ? APPEND_FAILED : APPEND_NONE);
		if (i == 1)
			CHECK_TEXT(trio.appends[2].fault.code, "store_io");
		kit_end(&kit);
	}
}

TEST(it_is_cleaned_up)
{
	kit_end(&original);
}

TEST_MAIN()
