/* SPDX-License-Identifier: MIT */
/* What a log that travels asks of every store: times of elsewhere, spaces of records, a moment that is held. */
#include "contract/store_rooms.h"
#include "support/check.h"

#define EACH(title)                                                                                                    \
	static void each_##title(struct store *store);                                                                 \
	TEST(title)                                                                                                    \
	{                                                                                                              \
		for (size_t room = 0; room < store_room_count; room++)                                                 \
			run_each(room, each_##title);                                                                  \
	}                                                                                                              \
	static void each_##title(struct store *store)

static struct arena arena;
static struct store_reader *reader;
static struct fault fault;

static int64_t
test_wall(void *self)
{
	return *(int64_t *)self;
}

static int64_t now_us;
static const struct clock test_clock = { test_wall, test_wall, &now_us };

static void
run_each(size_t room, void (*run)(struct store *store))
{
	struct store *store;

	now_us = 1700000000000000;
	arena_init(&arena, SIZE_MAX);
	store = store_rooms[room].open(&test_clock);
	CHECK_INT(store_reader_open(store, &reader, &fault), 0);
	run(store);
	store_reader_close(reader);
	store_rooms[room].close(store);
	arena_fini(&arena);
}

static void
commit(struct store *store, struct append *append)
{
	append->arena = &arena;
	CHECK_INT(store_commit(store, &append, 1, &fault), COMMIT_DONE);
	CHECK_INT(append->answer, APPEND_DONE);
}

static void
put_record(struct store *store, const char *space, const char *key)
{
	struct record_write record = { RECORD_PUT, slice_text(space), slice_text(key), SLICE("1"), SLICE_NONE };
	struct append append = { .records = &record, .record_count = 1 };

	commit(store, &append);
}

/* One event; gives the time it got. */
static int64_t
put_event(struct store *store, int64_t at_us)
{
	const struct append_stream stream = { SLICE("shop.cart/1"), { EXPECTED_ANY, 0 } };
	struct new_entry entry = { .kind = ENTRY_EVENT, .schema_version = 1, .type = SLICE("Put"), .data = SLICE("1") };
	struct append append = {
		.streams = &stream, .stream_count = 1, .entries = &entry, .entry_count = 1, .at_us = at_us
	};

	entry_digest(&entry, stream.name, 0, &append.provenance, &entry.digest);
	commit(store, &append);
	return append.recorded_at_us;
}

static struct entries
read_log(void)
{
	struct entries page;
	log_position seen;

	CHECK_INT(store_read_log(reader, 0, NULL, (struct read_limit){ 99, 0 }, &arena, &page, &seen, &fault), 0);
	return page;
}

/* [I4] */
EACH(a_time_of_elsewhere_is_kept_but_never_goes_back)
{
	static const int64_t wanted[] = { 1000, 5000, 4000, 0, 7000 };
	const int64_t given[] = { 1000, 5000, 5000, now_us, now_us };
	struct entries log;

	put_record(store, "space", "k"); /* takes no position, moves no time */
	for (size_t i = 0; i < countof(wanted); i++)
		CHECK_INT(put_event(store, wanted[i]), given[i]);
	log = read_log();
	CHECK_INT(log.count, countof(given));
	for (size_t i = 0; i < log.count; i++)
		CHECK_INT(log.items[i].recorded_at_us, given[i]);
}

EACH(appends_of_one_group_keep_their_own_times)
{
	const struct append_stream stream = { SLICE("shop.cart/1"), { EXPECTED_ANY, 0 } };
	struct new_entry entry = { .kind = ENTRY_EVENT, .schema_version = 1, .type = SLICE("Put"), .data = SLICE("1") };
	struct append appends[3], *group[3];

	entry_digest(&entry, stream.name, 0, &(struct provenance){ .actor = SLICE_NONE }, &entry.digest);
	for (size_t i = 0; i < countof(appends); i++) {
		appends[i] = (struct append){ .streams = &stream,
					      .stream_count = 1,
					      .entries = &entry,
					      .entry_count = 1,
					      .at_us = 1000 * (int64_t)(i + 1),
					      .arena = &arena };
		group[i] = &appends[i];
	}
	CHECK_INT(store_commit(store, group, countof(group), &fault), COMMIT_DONE);
	for (size_t i = 0; i < countof(appends); i++)
		CHECK_INT(read_log().items[i].recorded_at_us, 1000 * (int64_t)(i + 1));
}

EACH(spaces_are_listed_in_order_and_by_prefix)
{
	struct slice *found;
	size_t count;

	CHECK_INT(store_list_spaces(reader, SLICE("unique/"), SLICE_NONE, 9, &arena, &found, &count, &fault), 0);
	CHECK_INT(count, 0);
	put_record(store, "unique/b", "x");
	put_record(store, "unique/a", "y");
	put_record(store, "unique/a", "x");
	put_record(store, "unique", "x");
	put_record(store, "vnique/c", "x");
	CHECK_INT(store_list_spaces(reader, SLICE("unique/"), SLICE_NONE, 9, &arena, &found, &count, &fault), 0);
	CHECK_INT(count, 2);
	CHECK_SLICE(found[0], "unique/a");
	CHECK_SLICE(found[1], "unique/b");
	CHECK_INT(store_list_spaces(reader, SLICE_NONE, SLICE("unique/a"), 1, &arena, &found, &count, &fault), 0);
	CHECK_INT(count, 1);
	CHECK_SLICE(found[0], "unique/b");
}

EACH(a_held_moment_stays_as_it_was)
{
	struct record *records;
	log_position head;
	size_t count;

	if (store_hold(reader, &head, &fault) != 0) {
		CHECK(strcmp(fault.code, "unsupported") == 0);
		CHECK(strcmp(store->kind, "memory") == 0);
		return;
	}
	CHECK_INT(head, 0);
	store_let_go(reader);
	put_event(store, 0);
	CHECK_INT(store_hold(reader, &head, &fault), 0);
	CHECK_INT(head, 1);
	put_event(store, 0);
	put_record(store, "space", "late");
	CHECK_INT(read_log().count, 1);
	CHECK_INT(store_list_records(reader, SLICE("space"), SLICE_NONE, 9, &arena, &records, &count, &fault), 0);
	CHECK_INT(count, 0);
	store_let_go(reader);
	CHECK_INT(read_log().count, 2);
	CHECK_INT(store_list_records(reader, SLICE("space"), SLICE_NONE, 9, &arena, &records, &count, &fault), 0);
	CHECK_INT(count, 1);
}

TEST_MAIN()
