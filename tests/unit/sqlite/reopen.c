/* SPDX-License-Identifier: MIT */
/* Opening: what was there is there again, whatever of the index is on disk; locks, other files, backups, the window. */
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check.h"
#include "unit/sqlite/kit.h"

static struct kit kit;

static void
open_or_fail(void)
{
	if (kit_open(&kit) != 0)
		CHECK_FAIL("open: %s: %s", kit.fault.code, kit.fault.text);
}

/* The streams' lengths as kit_fill makes them. */
static void
check_filled(int count, int streams)
{
	uint64_t chance = 99;
	long wanted[200] = { 0 };

	for (int i = 0; i < count; i++) {
		chance = chance * 6364136223846793005u + 1442695040888963407u;
		wanted[(chance >> 33) % (uint64_t)streams]++;
	}
	for (int i = 0; i < streams; i++) {
		char name[32];

		snprintf(name, sizeof(name), "shop.cart/%d", i);
		CHECK_INT(kit_count(&kit, name), wanted[i]);
	}
	CHECK_INT(kit_count(&kit, "shop.cart/none"), 0);
}

TEST(a_store_is_found_again_at_any_length)
{
	static const int counts[] = { 0, 1, 63, 64, 65, 130, 200, 400, 1000 };

	for (size_t i = 0; i < countof(counts); i++) {
		kit_begin(&kit);
		open_or_fail();
		kit_fill(&kit, counts[i], 50);
		for (int again = 0; again < 2; again++) {
			struct append append;

			kit_close(&kit);
			open_or_fail();
			check_filled(counts[i], 50);
			CHECK_INT(store_head(kit.store), counts[i] + again);
			CHECK_INT(kit_put(&kit, "shop.other/1", "{}", "same", &append), COMMIT_DONE);
			CHECK_INT(append.answer, again ? APPEND_REPEATED : APPEND_DONE);
			CHECK(counts[i] == 0 || kit_remembers(&kit, "c0"));
			CHECK(!kit_remembers(&kit, "unknown"));
			if (again == 0)
				CHECK_INT(kit_verify(&kit, NULL), 0);
		}
		kit_end(&kit);
	}
}

TEST(a_read_only_store_beside_the_writer_follows_it)
{
	struct kit beside;

	kit_begin(&kit);
	open_or_fail();
	kit_fill(&kit, 300, 20);
	beside = kit;
	arena_init(&beside.arena, SIZE_MAX);
	beside.options.read_only = true;
	if (kit_open(&beside) != 0)
		CHECK_FAIL("open: %s", beside.fault.text);
	for (int i = 0; i < 200; i++) {
		struct append append;

		CHECK_INT(kit_put(&kit, "shop.other/1", "{}", NULL, &append), COMMIT_DONE);
		if (i % 20 == 0) {
			CHECK_INT(kit_count(&beside, "shop.other/1"), i + 1);
			CHECK(kit_remembers(&beside, "c299"));
		}
	}
	CHECK_INT(kit_verify(&beside, NULL), 0);
	{
		struct append append;

		CHECK_INT(kit_put(&beside, "shop.other/1", "{}", NULL, &append), COMMIT_NOT_ATTEMPTED);
		CHECK_TEXT(beside.fault.code, "read_only");
	}
	kit_close(&beside);
	arena_fini(&beside.arena);
	kit_close(&kit);
	kit.options.read_only = true; /* and when nobody writes */
	open_or_fail();
	check_filled(300, 20);
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_end(&kit);
}

/* Versions from.., as many as there are up to seven, each at the place that the whole stream has it. */
static void
check_page(struct kit *beside, const char *stream, stream_version from, stream_version last)
{
	struct entries page;
	stream_version end;
	size_t wanted = from > last ? 0 : last - from + 1 < 7 ? (size_t)(last - from + 1) : 7;

	if (store_read_stream(beside->reader, slice_text(stream), from, (struct read_limit){ 7, 0 }, &beside->arena,
			      &page, &end, &beside->fault) != 0)
		CHECK_FAIL("%s", beside->fault.text);
	CHECK_INT(end, last);
	CHECK_INT(page.count, wanted);
	for (size_t i = 0; i < page.count; i++) {
		CHECK_SLICE(page.items[i].stream, stream);
		CHECK_INT(page.items[i].version, from + i);
	}
}

TEST(pages_of_the_unindexed_end_are_right_in_any_order_while_it_grows)
{
	static const char *const names[] = { "shop.page/a", "shop.page/b" };
	struct kit beside;
	uint64_t turn = 1;

	kit_begin(&kit);
	open_or_fail();
	kit_fill(&kit, 300, 20);
	beside = kit;
	arena_init(&beside.arena, SIZE_MAX);
	beside.options.read_only = true;
	if (kit_open(&beside) != 0)
		CHECK_FAIL("open: %s", beside.fault.text);
	for (stream_version last = 1; last <= 120; last++) {
		struct append append;

		for (size_t i = 0; i < countof(names); i++)
			CHECK_INT(kit_put(&kit, names[i], "{}", NULL, &append), COMMIT_DONE);
		for (int i = 0; i < 4; i++) {
			turn = turn * 6364136223846793005u + 1442695040888963407u;
			check_page(&beside, names[turn >> 60 & 1], 1 + (turn >> 33) % (last + 3), last);
		}
	}
	kit_close(&beside);
	arena_fini(&beside.arena);
	kit_end(&kit);
}

TEST(one_process_a_store)
{
	struct kit second;

	kit_begin(&kit);
	open_or_fail();
	second = kit;
	CHECK_INT(kit_open(&second), -1);
	CHECK_TEXT(second.fault.code, "store_locked");
	CHECK_INT(second.fault.class, FAULT_CONFIG);
	kit_fill(&kit, 3, 1);
	kit_end(&kit);
}

static void
write_file(const char *file, const char *bytes, size_t size)
{
	char path[128];
	FILE *out;

	kit_path(&kit, file, path);
	out = fopen(path, "wb");
	CHECK(out != NULL && fwrite(bytes, 1, size, out) == size);
	fclose(out);
}

TEST(what_is_not_a_store_is_refused_and_left_alone)
{
	char noise[10000], path[128];
	struct stat found;

	kit_begin(&kit);
	kit.options.create = false;
	CHECK_INT(kit_open(&kit), -1);
	CHECK_TEXT(kit.fault.code, "store_missing");
	memset(noise, 'n', sizeof(noise));
	write_file("moonlog.db", noise, sizeof(noise));
	for (int only = 0; only < 2; only++) {
		kit.options.read_only = only;
		kit.options.create = !only;
		CHECK_INT(kit_open(&kit), -1);
		CHECK_TEXT(kit.fault.code, "not_a_store");
		CHECK_INT(kit.fault.class, FAULT_CONFIG);
	}
	kit_path(&kit, "moonlog.db", path);
	CHECK_INT(stat(path, &found), 0);
	CHECK_INT(found.st_size, sizeof(noise));
	kit_end(&kit);
}

TEST(a_store_of_a_later_version_is_refused)
{
	char path[128];
	FILE *file;

	kit_begin(&kit);
	open_or_fail();
	kit_fill(&kit, 3, 1);
	kit_close(&kit);
	kit_path(&kit, "moonlog.db", path);
	file = fopen(path, "r+b"); /* user_version stands at byte 60 */
	CHECK(file != NULL && fseek(file, 60, SEEK_SET) == 0 && fputc(1, file) != EOF);
	fclose(file);
	CHECK_INT(kit_open(&kit), -1);
	CHECK_TEXT(kit.fault.code, "newer_store");
	kit_end(&kit);
}

static void
run_sql(const char *sql)
{
	char path[128];
	sqlite3 *db;

	kit_path(&kit, "moonlog.db", path);
	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
check_kinds(log_position newest)
{
	struct type_found *types;
	size_t count;

	CHECK_INT(store_list_types(kit.reader, SLICE("shop"), &kit.arena, &types, &count, &kit.fault), 0);
	CHECK_INT(count, 1);
	CHECK_SLICE(types[0].aggregate, "shop.cart");
	CHECK_INT(types[0].newest, newest);
}

TEST(kinds_of_events_are_known_after_opening_again)
{
	kit_begin(&kit);
	open_or_fail();
	kit_fill(&kit, 5000, 50);
	kit_close(&kit);
	open_or_fail();
	check_kinds(4096); /* positions are written every 4096 entries */
	kit_end(&kit);
}

TEST(an_older_store_and_a_damaged_catalogue_are_looked_through)
{
	struct append append;

	kit_begin(&kit);
	open_or_fail();
	kit_fill(&kit, 300, 50);
	kit_close(&kit);
	run_sql(KIT_AS_SCHEMA_3 "DROP TABLE catalogue; PRAGMA user_version = 1");
	kit.options.read_only = true;
	open_or_fail();
	check_kinds(300);
	kit_close(&kit);
	kit.options.read_only = false;
	open_or_fail(); /* makes the table */
	check_kinds(300);
	CHECK_INT(kit_put(&kit, "shop.cart/1", "{}", NULL, &append), COMMIT_DONE);
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_close(&kit);
	run_sql("UPDATE catalogue SET newest = 7");
	kit.options.read_only = true;
	open_or_fail();
	check_kinds(301);
	CHECK(kit_verify(&kit, NULL) > 0);
	kit_close(&kit);
	kit.options.read_only = false;
	open_or_fail(); /* makes it again */
	CHECK_INT(kit_verify(&kit, NULL), 0);
	check_kinds(301);
	kit_close(&kit);
	run_sql("DELETE FROM catalogue");
	open_or_fail();
	CHECK(kit_verify(&kit, NULL) > 0);
	kit_end(&kit);
}

TEST(files_are_for_the_owner_alone)
{
	static const char *const files[] = { "moonlog.db", "moonlog.db-wal", "moonlog.db-shm", "moonlog.lock",
					     "witness" };

	kit_begin(&kit);
	open_or_fail();
	kit_fill(&kit, 3, 1);
	for (size_t i = 0; i < countof(files); i++) {
		struct stat found;
		char path[128];

		kit_path(&kit, files[i], path);
		CHECK_INT(stat(path, &found), 0);
		CHECK_INT(found.st_mode & 0777, 0600);
	}
	kit_end(&kit);
}

TEST(the_witness_knows_a_lost_tail)
{
	char path[128], kept[128];

	kit_begin(&kit);
	open_or_fail();
	kit_fill(&kit, 100, 5);
	kit_close(&kit);
	kit_path(&kit, "moonlog.db", path);
	kit_path(&kit, "older.db", kept);
	kit_copy(path, kept);
	open_or_fail();
	kit_record(&kit, "k", "v");
	{
		struct append append;

		CHECK_INT(kit_put(&kit, "shop.cart/1", "{}", NULL, &append), COMMIT_DONE);
	}
	kit_close(&kit);
	kit_copy(kept, path);
	CHECK_INT(kit_open(&kit), -1);
	CHECK_TEXT(kit.fault.code, "lost_tail");
	CHECK(strstr(kit.fault.text, "remove the file witness") != NULL);
	kit.options.read_only = true;
	open_or_fail();
	{
		unsigned kinds;

		CHECK_INT(kit_verify(&kit, &kinds), 1);
		CHECK_INT(kinds, 1u << VERIFY_TAIL);
	}
	kit_close(&kit);
	kit.options.read_only = false;
	kit.options.accept_lost_tail = true;
	open_or_fail();
	{
		struct append append;

		CHECK_INT(kit_put(&kit, "shop.cart/2", "{\"other\":1}", NULL, &append), COMMIT_DONE);
	}
	kit_close(&kit);
	kit.options.accept_lost_tail = false; /* the witness follows the log again */
	open_or_fail();
	kit_end(&kit);
}

TEST(a_backup_is_a_store)
{
	struct verify_report report = { 0 };
	struct kit restored;
	char path[128];

	kit_begin(&kit);
	open_or_fail();
	kit_fill(&kit, 500, 40);
	kit_record(&kit, "k", "v");
	kit_path(&kit, "backup", path);
	if (store_backup(kit.reader, path, &report, &kit.fault) != 0)
		CHECK_FAIL("backup: %s", kit.fault.text);
	CHECK_INT(report.entries, 500);
	CHECK_INT(store_backup(kit.reader, path, &report, &kit.fault), -1);
	CHECK_TEXT(kit.fault.code, "backup_exists");
	CHECK_INT(sqlite_restore(path, kit.directory, &kit.fault), -1);
	CHECK_TEXT(kit.fault.code, "store_exists");
	kit_begin(&restored);
	if (sqlite_restore(path, restored.directory, &kit.fault) != 0)
		CHECK_FAIL("restore: %s", kit.fault.text);
	kit_close(&kit);
	kit_end(&kit);
	kit = restored;
	open_or_fail();
	check_filled(500, 40);
	CHECK(kit_remembers(&kit, "c7"));
	{
		struct slice value;
		bool found;

		CHECK_INT(store_read_record(kit.reader, SLICE("space"), SLICE("k"), &kit.arena, &value, &found,
					    &kit.fault),
			  0);
		CHECK(found);
	}
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_end(&kit);
}

TEST(a_damaged_backup_is_not_restored)
{
	struct verify_report report = { 0 };
	struct kit restored;
	char path[128];
	FILE *file;
	long size;

	kit_begin(&kit);
	open_or_fail();
	kit_fill(&kit, 500, 40);
	kit_path(&kit, "backup", path);
	CHECK_INT(store_backup(kit.reader, path, &report, &kit.fault), 0);
	file = fopen(path, "r+b");
	CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
	size = ftell(file);
	for (long at = 8192 * 9; at < size; at += 997) { /* a little everywhere */
		fseek(file, at, SEEK_SET);
		fputc('#', file);
	}
	fclose(file);
	kit_begin(&restored);
	CHECK_INT(sqlite_restore(path, restored.directory, &restored.fault), -1);
	CHECK_INT(kit_open(&restored), 0); /* still empty: a new store can be made there */
	CHECK_INT(store_head(restored.store), 0);
	kit_end(&restored);
	kit_end(&kit);
}

TEST(command_ids_past_the_window_are_forgotten)
{
	kit_begin(&kit);
	kit.options.remember_ids = 200;
	open_or_fail();
	kit_fill(&kit, 2000, 10);
	CHECK(!kit_remembers(&kit, "c0"));
	CHECK(!kit_remembers(&kit, "c1000"));
	CHECK(kit_remembers(&kit, "c1801"));
	CHECK(kit_remembers(&kit, "c1999"));
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_close(&kit);
	open_or_fail();
	CHECK(!kit_remembers(&kit, "c0"));
	CHECK(kit_remembers(&kit, "c1801"));
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_end(&kit);
}

static void
refused(const char *path, bool create, bool read_only, const char *code)
{
	const char *before = kit.options.path;

	kit.options.path = path;
	kit.options.create = create;
	kit.options.read_only = read_only;
	CHECK_INT(kit_open(&kit), -1);
	CHECK_TEXT(kit.fault.code, code);
	CHECK_INT(kit.fault.class, FAULT_CONFIG);
	kit.options.path = before;
	kit.options.create = true;
	kit.options.read_only = false;
}

TEST(places_where_no_store_can_be)
{
	struct verify_report report = { 0 };
	char path[128], longer[4200];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	longer[0] = '/';
	kit_begin(&kit);
	refused(longer, true, false, "bad_path");
	longer[300] = '\0'; /* one name in it is too long for the file system */
	refused(longer, true, false, "config");
	refused(longer, false, false, "config");
	refused(longer, false, true, "config");
	refused("/nowhere/at/all", true, false, "config");
	refused("/nowhere/at/all", false, false, "store_missing");
	refused(kit.directory, false, false, "store_missing");
	refused(kit.directory, false, true, "store_missing");
	write_file("moonlog.db", "", 0); /* made, and then nothing more came of it */
	refused(kit.directory, false, false, "store_missing");
	refused(kit.directory, false, true, "store_missing");
	kit_path(&kit, "moonlog.db", path);
	refused(path, true, false, "config"); /* inside a file */
	CHECK_INT(unlink(path), 0);
	CHECK_INT(mkdir(path, 0700), 0);
	refused(kit.directory, true, false, "not_a_store");
	refused(kit.directory, false, true, "not_a_store");
	CHECK_INT(rmdir(path), 0);
	kit_path(&kit, "inner", path); /* a directory that is made with the store */
	kit.options.path = path;
	open_or_fail();
	kit_fill(&kit, 3, 1);
	longer[300] = 'x';
	CHECK_INT(store_backup(kit.reader, longer, &report, &kit.fault), -1);
	CHECK_TEXT(kit.fault.code, "bad_path");
	CHECK_INT(store_backup(kit.reader, "/nowhere/at/all", &report, &kit.fault), -1);
	CHECK_INT(kit.fault.class, FAULT_CONFIG);
	CHECK_INT(sqlite_restore("/nowhere/at/all", "/nowhere", &kit.fault), -1);
	CHECK_INT(sqlite_restore("/nowhere", longer, &kit.fault), -1);
	CHECK_TEXT(kit.fault.code, "bad_path");
	kit_close(&kit);
	for (size_t i = 0; i < 5; i++) {
		static const char *const files[] = { "moonlog.db", "moonlog.db-wal", "moonlog.db-shm", "moonlog.lock",
						     "witness" };
		char file[200];

		snprintf(file, sizeof(file), "%s/%s", path, files[i]);
		unlink(file);
	}
	CHECK_INT(rmdir(path), 0);
	kit_end(&kit);
}

/* Beside the present directory, by a name without a slash. */
TEST(a_backup_by_a_relative_name)
{
	struct verify_report report = { 0 };
	char before[4096];
	struct stat found;

	kit_begin(&kit);
	open_or_fail();
	kit_fill(&kit, 3, 1);
	CHECK(getcwd(before, sizeof(before)) != NULL);
	CHECK_INT(chdir(kit.directory), 0);
	CHECK_INT(store_backup(kit.reader, "copy", &report, &kit.fault), 0);
	CHECK_INT(stat("copy", &found), 0);
	CHECK_INT(chdir(before), 0);
	kit_end(&kit);
}

static int64_t
standing_wall(void *self)
{
	return *(int64_t *)self;
}

static uint64_t
size_of(const char *file)
{
	struct stat found;
	char path[128];

	kit_path(&kit, file, path);
	CHECK_INT(stat(path, &found), 0);
	return (uint64_t)found.st_size;
}

/* Ids are forgotten by their age, too; the clock is the caller's. */
TEST(command_ids_older_than_the_window_are_forgotten)
{
	int64_t now = INT64_C(1800000000000000);
	const struct clock standing = { standing_wall, standing_wall, &now };

	kit_begin(&kit);
	kit.options.clock = &standing;
	kit.options.entropy = entropy_real();
	kit.options.remember_us = 1000;
	open_or_fail();
	kit_fill(&kit, 500, 10);
	now += 10000;
	for (int i = 0; i < 500; i++) {
		struct append append;

		CHECK_INT(kit_put(&kit, "shop.other/1", "{}", NULL, &append), COMMIT_DONE);
		CHECK_INT(append.recorded_at_us, now);
	}
	CHECK(!kit_remembers(&kit, "c0"));
	CHECK(!kit_remembers(&kit, "c300"));
	CHECK_INT(kit.store->stats->remembered_ids, 500 - 448);
	CHECK_INT(kit_verify(&kit, NULL), 0);
	store_idle(kit.store);
	CHECK_INT(kit.store->stats->bytes_on_disk, size_of("moonlog.db") + size_of("moonlog.db-wal"));
	kit_close(&kit);
	open_or_fail();
	CHECK_INT(kit.store->stats->remembered_ids, 500 - 448);
	now -= 100000; /* a clock that was set back: times never are */
	{
		struct append append;

		CHECK_INT(kit_put(&kit, "shop.other/1", "{}", NULL, &append), COMMIT_DONE);
		CHECK_INT(append.recorded_at_us, now + 100000);
	}
	kit_end(&kit);
}

TEST_MAIN()
