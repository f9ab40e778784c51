/* SPDX-License-Identifier: MIT */
/*
 * What only a large store meets: a log file that a reader keeps from starting anew, segments that wait for their
 * sealing, more names, records and entries than one bite of a verification or of a backup takes.
 */
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check.h"
#include "unit/sqlite/kit.h"

#define STREAMS 5000
#define ENTRIES 21000
#define RECORDS 1100
#define GROUP   500

static struct kit kit;

static void
open_or_fail(void)
{
	if (kit_open(&kit) != 0)
		CHECK_FAIL("open: %s: %s", kit.fault.code, kit.fault.text);
}

/* `count` events, one an append, in one group. Gives how many were done. */
static size_t
commit_group(int from, size_t count)
{
	struct append *appends = arena_zero(&kit.arena, count, sizeof(*appends)),
		      **all = arena_zero(&kit.arena, count, sizeof(struct append *));
	struct append_stream *streams = arena_zero(&kit.arena, count, sizeof(*streams));
	struct new_entry *entries = arena_zero(&kit.arena, count, sizeof(*entries));
	size_t done = 0;

	for (size_t i = 0; i < count; i++) {
		streams[i].name = arena_format(&kit.arena, "shop.cart/%d", (from + (int)i) % STREAMS);
		streams[i].expected.kind = EXPECTED_ANY;
		entries[i] = (struct new_entry){
			.kind = ENTRY_EVENT, .schema_version = 1, .type = SLICE("Put"), .data = SLICE("{\"n\":1}")
		};
		appends[i] = (struct append){ .streams = &streams[i],
					      .stream_count = 1,
					      .entries = &entries[i],
					      .entry_count = 1,
					      .arena = &kit.arena };
		entry_digest(&entries[i], streams[i].name, 0, &appends[i].provenance, &entries[i].digest);
		all[i] = &appends[i];
	}
	CHECK_INT(store_commit(kit.store, all, count, &kit.fault), COMMIT_DONE);
	for (size_t i = 0; i < count; i++)
		done += appends[i].answer == APPEND_DONE;
	return done;
}

struct watched {
	log_position last;
	int calls;
	const char *path; /* made when the end is reached: somebody else was quicker */
};

static void
watch(void *self, log_position at, log_position head)
{
	struct watched *watched = self;

	watched->calls += at >= watched->last && at <= head;
	watched->last = at;
	if (at == head && watched->path != NULL)
		fclose(fopen(watched->path, "wx"));
	if (at == head)
		watched->path = NULL;
}

static void
fill(void)
{
	kit_begin(&kit);
	kit.options.segment_entries = 4096;
	open_or_fail();
	for (int i = 0; i < ENTRIES; i += GROUP) {
		CHECK_INT(commit_group(i, GROUP), GROUP);
		arena_clear(&kit.arena);
	}
	for (int i = 0; i < RECORDS; i++) {
		char key[32];

		snprintf(key, sizeof(key), "key-%04d", i);
		kit_record(&kit, key, "value");
	}
}

TEST(a_large_store_is_verified_backed_up_and_listed)
{
	struct watched watched = { 0 };
	struct verify_report report = { .progress = watch, .self = &watched };
	struct record *records;
	struct slice *names;
	struct kit restored;
	char path[128];
	size_t count;

	fill();
	CHECK_INT(store_verify(kit.reader, &report, &kit.fault), 0);
	CHECK_INT(report.findings, 0);
	CHECK_INT(report.entries, ENTRIES);
	CHECK(watched.calls > 10);
	CHECK_INT(watched.last, ENTRIES);
	CHECK_INT(store_list_streams(kit.reader, SLICE_NONE, SLICE_NONE, SIZE_MAX, &kit.arena, &names, &count,
				     &kit.fault),
		  0);
	CHECK_INT(count, STREAMS);
	CHECK_INT(store_list_records(kit.reader, SLICE("space"), SLICE_NONE, SIZE_MAX, &kit.arena, &records, &count,
				     &kit.fault),
		  0);
	CHECK_INT(count, RECORDS);
	watched = (struct watched){ 0 };
	report = (struct verify_report){ .progress = watch, .self = &watched };
	kit_path(&kit, "backup", path);
	CHECK_INT(store_backup(kit.reader, path, &report, &kit.fault), 0);
	CHECK_INT(report.entries, ENTRIES);
	kit_begin(&restored);
	CHECK_INT(sqlite_restore(path, restored.directory, &kit.fault), 0);
	restored.options.segment_entries = 4096;
	CHECK_INT(kit_open(&restored), 0);
	CHECK_INT(store_head(restored.store), ENTRIES);
	CHECK_INT(kit_count(&restored, "shop.cart/7"), (ENTRIES - 7 + STREAMS - 1) / STREAMS);
	kit_end(&restored);
	kit_end(&kit);
}

TEST(a_backup_never_replaces_what_somebody_else_made)
{
	struct watched watched = { 0 };
	struct verify_report report = { .progress = watch, .self = &watched };
	struct stat found;
	char path[128];

	kit_begin(&kit);
	open_or_fail();
	kit_fill(&kit, 10, 2);
	kit_path(&kit, "backup", path);
	watched.path = path;
	CHECK_INT(store_backup(kit.reader, path, &report, &kit.fault), -1);
	CHECK(strstr(kit.fault.text, "exists") != NULL);
	CHECK_INT(stat(path, &found), 0);
	CHECK_INT(found.st_size, 0);
	kit_end(&kit);
}

static void
put_large(int count, const char *data)
{
	for (int i = 0; i < count; i++) {
		struct append append;

		CHECK_INT(kit_put(&kit, "shop.cart/1", data, NULL, &append), COMMIT_DONE);
		arena_clear(&kit.arena);
	}
}

static long
wal_size(void)
{
	struct stat found;
	char path[128];

	kit_path(&kit, "moonlog.db-wal", path);
	return stat(path, &found) == 0 ? (long)found.st_size : -1;
}

/*
 * Another program's reader that stays keeps the log file from starting anew; the writer asks for it in vain, but not at
 * every commit; once it is gone the file starts anew and grows no more.
 */
TEST(the_log_file_starts_anew_once_a_reader_that_stayed_is_gone)
{
	static char data[500000];
	struct sqlite_options options;
	char path[128];
	long grown, later;
	sqlite3 *db;

	kit_begin(&kit);
	open_or_fail();
	options = kit.options;
	memset(data, 'x', sizeof(data) - 1);
	data[0] = data[sizeof(data) - 2] = '"';
	kit_path(&kit, "moonlog.db", path);
	put_large(1, "1");
	CHECK_INT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, "BEGIN; SELECT max(position) FROM entries", NULL, NULL, NULL), SQLITE_OK);
	put_large(110, data);
	grown = wal_size();
	CHECK(grown > 48L * 1024 * 1024);
	store_idle(kit.store);
	CHECK_INT(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	put_large(110, data);
	later = wal_size();
	if (later > grown + 20L * 1024 * 1024)
		CHECK_FAIL("the log file has %ld bytes, then %ld", grown, later);
	CHECK_INT(kit_count(&kit, "shop.cart/1"), 221);
	CHECK_INT(kit_verify(&kit, NULL), 0);
	CHECK(kit.store->stats->bytes_on_disk > 100000000);
	kit_close(&kit);
	CHECK_INT(wal_size(), 0);
	kit.options = options;
	open_or_fail();
	CHECK(!store_idle(kit.store));
	CHECK_INT(kit_count(&kit, "shop.cart/1"), 221);
	kit_end(&kit);
}

/* More than a segment of the index takes at once is refused, alone; a group of such a size is taken one by one. */
TEST(groups_larger_than_a_segment)
{
	struct append_stream stream = { SLICE("shop.cart/1"), { EXPECTED_ANY, 0 } };
	struct new_entry entries[65];
	struct append append = { .streams = &stream, .stream_count = 1, .entries = entries, .entry_count = 65 };
	struct append *appends[] = { &append };

	kit_begin(&kit);
	open_or_fail();
	CHECK_INT(commit_group(0, 65), 65);
	append.arena = &kit.arena;
	for (size_t i = 0; i < 65; i++) {
		entries[i] = (struct new_entry){
			.kind = ENTRY_EVENT, .schema_version = 1, .type = SLICE("Put"), .data = SLICE("{}")
		};
		entry_digest(&entries[i], stream.name, 0, &append.provenance, &entries[i].digest);
	}
	CHECK_INT(store_commit(kit.store, appends, 1, &kit.fault), COMMIT_DONE);
	CHECK_INT(append.answer, APPEND_FAILED);
	CHECK_TEXT(append.fault.code, "group_too_large");
	CHECK_INT(store_head(kit.store), 65);
	append.answer = APPEND_NONE;
	append.entry_count = 64;
	CHECK_INT(store_commit(kit.store, appends, 1, &kit.fault), COMMIT_DONE);
	CHECK_INT(append.answer, APPEND_DONE);
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_close(&kit);
	/* An index with wider segments than the store was begun with. */
	kit.options.segment_entries = 1u << 30;
	open_or_fail();
	CHECK_INT(commit_group(0, 65), 65);
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_end(&kit);
}

static int64_t
standing_now(void *self)
{
	return *(int64_t *)self;
}

static long
file_size(void)
{
	struct stat found;
	char path[128];

	kit_path(&kit, "moonlog.db", path);
	return stat(path, &found) == 0 ? (long)found.st_size : -1;
}

/* Between commits that follow each other a bite would hold up the next: only a moment without any is idle. */
TEST(housekeeping_waits_for_a_moment_without_commits)
{
	int64_t now = INT64_C(1800000000000000);
	const struct clock standing = { standing_now, standing_now, &now };
	char path[128], line[100] = "";
	struct append append;
	long before;
	FILE *file;

	kit_begin(&kit);
	kit.options.clock = &standing; /* so that no witness is due by time */
	kit.options.entropy = entropy_real();
	open_or_fail();
	kit_fill(&kit, 300, 5);
	before = file_size();
	for (int i = 0; i < 3; i++) {
		CHECK_INT(kit_put(&kit, "shop.cart/1", "{}", NULL, &append), COMMIT_DONE);
		CHECK(store_idle(kit.store));
		CHECK_INT(file_size(), before);
	}
	CHECK(!store_idle(kit.store));
	CHECK(file_size() > before);
	kit_path(&kit, "witness", path);
	file = fopen(path, "r");
	CHECK(file != NULL && fgets(line, sizeof(line), file) != NULL);
	if (file != NULL)
		fclose(file);
	CHECK_INT(strtoll(line + strlen("position "), NULL, 10), (int64_t)append.last);
	kit_end(&kit);
}

TEST_MAIN()
