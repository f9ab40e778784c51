/* SPDX-License-Identifier: MIT */
/* The view that other programs read: what it gives is what the store's door gives. */
#include <sqlite3.h>

#include "kit.h"
#include "support/check.h"

static struct kit kit;

static struct slice
text_of(size_t size, char fill)
{
	char *bytes = arena_alloc(&kit.arena, size);

	memset(bytes, fill, size);
	return slice_from(bytes, size);
}

/* A message whose other parts have these sizes; 0: none. */
static void
put(const char *stream, const struct provenance *provenance, struct slice key, struct slice headers)
{
	struct append_stream streams[] = { { slice_text(stream), { EXPECTED_ANY, 0 } } };
	struct new_entry entry = { .kind = ENTRY_MESSAGE,
				   .schema_version = 1,
				   .type = SLICE("Put"),
				   .data = SLICE("{\"a\":1}"),
				   .topic = SLICE("carts"),
				   .key = key,
				   .headers = headers };
	struct append append = { .streams = streams,
				 .stream_count = 1,
				 .entries = &entry,
				 .entry_count = 1,
				 .provenance = *provenance,
				 .arena = &kit.arena };
	struct append *appends[] = { &append };

	entry_digest(&entry, streams[0].name, 0, &append.provenance, &entry.digest);
	CHECK_INT(store_commit(kit.store, appends, 1, &kit.fault), COMMIT_DONE);
}

static void
hint(const char *value)
{
	struct record_write record = { .space = SLICE("relay"), .key = SLICE("hint"), .value = slice_text(value) };
	struct append append = { .records = &record, .record_count = 1, .arena = &kit.arena }, *appends[] = { &append };

	CHECK_INT(store_commit(kit.store, appends, 1, &kit.fault), COMMIT_DONE);
}

static sqlite3_stmt *
ask(sqlite3 **db, const char *sql)
{
	sqlite3_stmt *statement;
	char path[128];

	kit_path(&kit, "moonlog.db", path);
	CHECK_INT(sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	CHECK_INT(sqlite3_prepare_v2(*db, sql, -1, &statement, NULL), SQLITE_OK);
	return statement;
}

static struct slice
column(sqlite3_stmt *statement, int number)
{
	const void *bytes = sqlite3_column_text(statement, number);

	return slice_from(bytes, (size_t)sqlite3_column_bytes(statement, number));
}

static void
same(sqlite3_stmt *statement, int number, struct slice wanted)
{
	struct slice got = column(statement, number);

	if (!slice_equal(got, wanted))
		CHECK_FAIL("column %d: \"%.*s\", not \"%.*s\"", number, (int)(got.size < 60 ? got.size : 60), got.data,
			   (int)(wanted.size < 60 ? wanted.size : 60), wanted.data);
}

/* Every form that the parts of an entry can have, in the sizes at which their lengths take another byte. */
static void
fill(void)
{
	static const size_t sizes[] = { 0, 1, 127, 128, 300, 1024 };

	for (size_t i = 0; i < countof(sizes); i++) {
		struct provenance provenance = { .correlation_id = text_of(sizes[i], 'c'),
						 .causation_id = text_of(sizes[(i + 1) % countof(sizes)], 'a'),
						 .actor = text_of(i % 2 != 0 ? 5 : 0, 'r') };
		struct slice none = SLICE_NONE, headers = text_of(i == 0 ? 17 : 16000 + 200 * i, 'h');

		put("shop.cart/1", &provenance, none, none);
		put("shop.cart/1", &provenance, text_of(sizes[i], 'k'), none);
		put("shop.cart/2", &provenance, text_of(sizes[countof(sizes) - 1 - i], 'k'), headers);
		provenance = (struct provenance){ .traceparent = text_of(55, 't') };
		put("shop.cart/2", &provenance, none, headers);
	}
}

TEST(rows_are_what_the_door_gives)
{
	const struct log_filter published = { .published_only = true };
	struct append other;
	struct entries read;
	log_position seen;
	sqlite3_stmt *statement;
	char id[ID_TEXT_SIZE];
	sqlite3 *db;

	kit_begin(&kit);
	CHECK_INT(kit_open(&kit), 0);
	fill();
	CHECK_INT(kit_put(&kit, "shop.cart/3", "{}", NULL, &other), COMMIT_DONE);
	CHECK_INT(store_read_log(kit.reader, 0, &published, (struct read_limit){ 100, 0 }, &kit.arena, &read, &seen,
				 &kit.fault),
		  0);
	CHECK_INT(read.count, 24);
	statement = ask(&db, "SELECT id, aggregatetype, aggregateid, type, payload, Topic, Key, Message, Headers,"
			     " position, ProcessedAt FROM outbox ORDER BY position");
	for (size_t i = 0; i < read.count; i++) {
		const struct recorded_entry *entry = &read.items[i];
		struct slice stream = slice_from(entry->stream.data + 10, 1);

		CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
		id_format(&entry->id, id);
		same(statement, 0, slice_text(id));
		same(statement, 1, SLICE("shop.cart"));
		same(statement, 2, stream);
		same(statement, 3, SLICE("Put"));
		same(statement, 4, entry->data);
		same(statement, 5, entry->topic);
		same(statement, 6, entry->key.size != 0 ? entry->key : stream);
		same(statement, 7, entry->data);
		same(statement, 8, entry->headers);
		CHECK_INT(sqlite3_column_int64(statement, 9), entry->position);
		CHECK_INT(sqlite3_column_type(statement, 10), SQLITE_NULL);
	}
	CHECK_INT(sqlite3_step(statement), SQLITE_DONE);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	kit_end(&kit);
}

TEST(processed_is_what_the_relay_has_confirmed)
{
	sqlite3_stmt *statement;
	sqlite3 *db;

	kit_begin(&kit);
	CHECK_INT(kit_open(&kit), 0);
	fill();
	hint("{\"position\":9,\"marked\":7,\"at\":\"2026-01-02T03:04:05.000000Z\"}");
	statement =
		ask(&db, "SELECT count(*), count(ProcessedAt), max(ProcessedAt), max(CreatedAt) > '2026' FROM outbox");
	CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
	CHECK_INT(sqlite3_column_int64(statement, 0), 24);
	CHECK_INT(sqlite3_column_int64(statement, 1), 9);
	same(statement, 2, SLICE("2026-01-02T03:04:05.000000Z"));
	CHECK_INT(sqlite3_column_int64(statement, 3), 1);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	kit_end(&kit);
}

/* A store of before the view had these columns gets them when it is opened. */
TEST(an_older_store_gets_the_view)
{
	sqlite3_stmt *statement;
	char path[128];
	sqlite3 *db;

	kit_begin(&kit);
	CHECK_INT(kit_open(&kit), 0);
	fill();
	kit_close(&kit);
	kit_path(&kit, "moonlog.db", path);
	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db,
			       KIT_AS_SCHEMA_3
			       "DROP VIEW outbox; CREATE VIEW outbox AS SELECT 1 AS id; PRAGMA user_version = 2",
			       NULL, NULL, NULL),
		  SQLITE_OK);
	sqlite3_close(db);
	CHECK_INT(kit_open(&kit), 0);
	statement = ask(&db, "SELECT count(Key) FROM outbox");
	CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
	CHECK_INT(sqlite3_column_int64(statement, 0), 24);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	kit_end(&kit);
}

TEST_MAIN()
