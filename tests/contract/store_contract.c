/* SPDX-License-Identifier: MIT */
/*
 * What every store promises, run against each room. A test is written once, as a function over an open store; EACH
 * makes a test that runs it against all rooms. Digests and links are made again here, from what the reads return.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "contract/store_rooms.h"
#include "support/check.h"

#define EACH(title)                                                                                                    \
	static void each_##title(struct store *store);                                                                 \
	TEST(title)                                                                                                    \
	{                                                                                                              \
		for (room = 0; room < store_room_count; room++)                                                        \
			run_each(each_##title);                                                                        \
	}                                                                                                              \
	static void each_##title(struct store *store)

static size_t room;
static struct arena arena;
static struct store_reader *reader;
static struct fault fault;

static int64_t
test_wall(void *self)
{
	return *(int64_t *)self;
}

static int64_t
test_mono(void *self)
{
	return *(int64_t *)self * 1000;
}

static int64_t now_us;
static const struct clock test_clock = { test_wall, test_mono, &now_us };

static void
run_each(void (*run)(struct store *store))
{
	struct store *store;

	now_us = 1700000000000000;
	arena_init(&arena, SIZE_MAX);
	store = store_rooms[room].open(&test_clock);
	if (store_reader_open(store, &reader, &fault) != 0)
		CHECK_FAIL("reader: %s", fault.text);
	run(store);
	store_reader_close(reader);
	store_rooms[room].close(store);
	arena_fini(&arena);
}

/* One append under construction. */
struct draft {
	struct append append;
	struct append_stream streams[4];
	struct new_entry entries[16];
	struct record_write records[8];
	struct command_id id;
};

static struct draft *
draft(void)
{
	struct draft *made = arena_zero(&arena, 1, sizeof(*made));

	made->append.streams = made->streams;
	made->append.entries = made->entries;
	made->append.records = made->records;
	made->append.arena = &arena;
	return made;
}

static uint32_t
on(struct draft *made, const char *stream, enum expected_kind kind, stream_version version)
{
	made->streams[made->append.stream_count] = (struct append_stream){ slice_text(stream), { kind, version } };
	return (uint32_t)made->append.stream_count++;
}

static struct new_entry *
event(struct draft *made, uint32_t stream, const char *type, const char *data)
{
	struct new_entry *entry = &made->entries[made->append.entry_count++];

	*entry = (struct new_entry){ .kind = ENTRY_EVENT,
				     .stream = stream,
				     .schema_version = 1,
				     .type = slice_text(type),
				     .data = slice_text(data) };
	return entry;
}

static void
record(struct draft *made, enum record_rule rule, const char *key, const char *value, const char *before)
{
	made->records[made->append.record_count++] =
		(struct record_write){ rule, SLICE("space"), slice_text(key), slice_text(value), slice_text(before) };
}

static void
name_command(struct draft *made, const char *id, const char *fingerprint, const char *reply)
{
	memset(&made->id, 0, sizeof(made->id));
	memcpy(made->id.bytes, id, strlen(id));
	memset(&made->append.fingerprint, 0, sizeof(made->append.fingerprint));
	memcpy(made->append.fingerprint.bytes, fingerprint, strlen(fingerprint));
	made->append.command_id = &made->id;
	made->append.reply = slice_text(reply);
}

static void
digest(struct draft *made)
{
	for (size_t i = 0; i < made->append.entry_count; i++)
		entry_digest(&made->entries[i], made->streams[made->entries[i].stream].name, made->append.generation,
			     &made->append.provenance, &made->entries[i].digest);
}

static void
commit(struct store *store, struct draft **drafts, size_t count)
{
	struct append *appends[256];

	for (size_t i = 0; i < count; i++) {
		digest(drafts[i]);
		appends[i] = &drafts[i]->append;
	}
	if (store_commit(store, appends, count, &fault) != COMMIT_DONE)
		CHECK_FAIL("%s: commit: %s", store_rooms[room].name, fault.text);
}

static enum append_answer
commit_one(struct store *store, struct draft *made)
{
	commit(store, &made, 1);
	return made->append.answer;
}

/* One event on one stream, whatever its version. */
static struct draft *
put(struct store *store, const char *stream, const char *data)
{
	struct draft *made = draft();

	event(made, on(made, stream, EXPECTED_ANY, 0), "Put", data);
	CHECK_INT(commit_one(store, made), APPEND_DONE);
	return made;
}

static struct entries
stream(const char *name, stream_version from, size_t limit, stream_version *version)
{
	struct entries entries;

	if (store_read_stream(reader, slice_text(name), from, (struct read_limit){ limit, 0 }, &arena, &entries,
			      version, &fault) != 0)
		CHECK_FAIL("%s: read %s: %s", store_rooms[room].name, name, fault.text);
	return entries;
}

static struct entries
whole_log(const struct log_filter *filter, size_t limit)
{
	struct entries all = { arena_alloc(&arena, 4096 * sizeof(struct recorded_entry)), 0 }, page;
	log_position at = 0;

	for (;;) {
		log_position before = at;

		if (store_read_log(reader, before, filter, (struct read_limit){ limit, 0 }, &arena, &page, &at,
				   &fault) != 0)
			CHECK_FAIL("%s: log: %s", store_rooms[room].name, fault.text);
		for (size_t i = 0; i < page.count; i++) {
			CHECK(page.items[i].position > before && page.items[i].position <= at);
			all.items[all.count++] = page.items[i];
		}
		if (page.count == 0 && at == before)
			return all;
	}
}

static bool
has_record(const char *key, const char *wanted)
{
	struct slice value;
	bool found;

	if (store_read_record(reader, SLICE("space"), slice_text(key), &arena, &value, &found, &fault) != 0)
		CHECK_FAIL("record: %s", fault.text);
	if (wanted == NULL || !found)
		return found;
	CHECK_SLICE(value, wanted);
	return true;
}

/* Everything that hangs together in a log: positions, versions, commits, times, digests, links, ids. */
static size_t
check_log(void)
{
	struct entries log = whole_log(NULL, 7);
	struct check before = { { 0 } };
	int64_t time = 0;

	for (size_t i = 0; i < log.count; i++) {
		const struct recorded_entry *entry = &log.items[i];
		stream_version last = 0;
		struct check wanted;
		struct id id;

		CHECK_INT(entry->position, i + 1);
		CHECK(entry->commit_first <= entry->position &&
		      entry->position < entry->commit_first + entry->commit_size);
		CHECK(entry->recorded_at_us >= time);
		time = entry->recorded_at_us;
		CHECK_INT(log.items[entry->commit_first - 1].recorded_at_us, time);
		entry_digest_recorded(entry, &wanted);
		CHECK(check_equal(&wanted, &entry->digest));
		entry_link(&before, &entry->digest, entry->position, entry->version, entry->commit_first,
			   entry->commit_size, entry->recorded_at_us, &wanted);
		CHECK(check_equal(&wanted, &entry->link));
		before = entry->link;
		id = entry_id(entry->recorded_at_us, &entry->link);
		CHECK(memcmp(&id, &entry->id, sizeof(id)) == 0);
		for (size_t j = 0; j < i; j++)
			if (slice_equal(log.items[j].stream, entry->stream) && log.items[j].version != 0)
				last = log.items[j].version;
		CHECK_INT(entry->version, entry->kind == ENTRY_EVENT ? last + 1 : 0);
	}
	return log.count;
}

EACH(an_empty_store_is_empty)
{
	stream_version version;

	CHECK_INT(store_head(store), 0);
	CHECK_INT(stream("shop.cart/1", 1, 10, &version).count, 0);
	CHECK_INT(version, 0);
	CHECK_INT(whole_log(NULL, 10).count, 0);
	CHECK(!has_record("x", NULL));
}

EACH(what_was_appended_is_read_again_whole)
{
	struct draft *made = draft();
	struct new_entry *entry;
	struct entries read;
	stream_version version;

	made->append.generation = 7;
	made->append.provenance =
		(struct provenance){ SLICE("correlation"), SLICE("causation"), SLICE("00-trace-01"), SLICE("actor") };
	on(made, "shop.cart/0", EXPECTED_ANY, 0);
	entry = event(made, on(made, "shop.cart/1", EXPECTED_NO_STREAM, 0), "Opened", "{\"a\":\"\\u0000\"}");
	entry->schema_version = 3;
	entry->topic = SLICE("carts");
	entry->key = SLICE("the key");
	entry->headers = SLICE("{\"h\":1}");
	event(made, 1, "Filled", "{}");
	CHECK_INT(commit_one(store, made), APPEND_DONE);
	CHECK_INT(made->append.first, 1);
	CHECK_INT(made->append.last, 2);
	CHECK_INT(made->append.versions[0], 0);
	CHECK_INT(made->append.versions[1], 2);
	CHECK_INT(made->append.recorded_at_us, now_us);
	CHECK_INT(store_head(store), 2);
	read = stream("shop.cart/1", 1, 10, &version);
	CHECK_INT(read.count, 2);
	CHECK_INT(version, 2);
	CHECK_INT(read.items[0].position, 1);
	CHECK_INT(read.items[0].commit_first, 1);
	CHECK_INT(read.items[0].commit_size, 2);
	CHECK_INT(read.items[0].kind, ENTRY_EVENT);
	CHECK_SLICE(read.items[0].stream, "shop.cart/1");
	CHECK_SLICE(read.items[0].type, "Opened");
	CHECK_SLICE(read.items[0].data, "{\"a\":\"\\u0000\"}");
	CHECK_SLICE(read.items[0].topic, "carts");
	CHECK_SLICE(read.items[0].key, "the key");
	CHECK_SLICE(read.items[0].headers, "{\"h\":1}");
	CHECK_SLICE(read.items[0].provenance.correlation_id, "correlation");
	CHECK_SLICE(read.items[0].provenance.causation_id, "causation");
	CHECK_SLICE(read.items[0].provenance.traceparent, "00-trace-01");
	CHECK_SLICE(read.items[0].provenance.actor, "actor");
	CHECK_INT(read.items[0].schema_version, 3);
	CHECK_INT(read.items[0].generation, 7);
	CHECK_INT(read.items[1].position, 2);
	CHECK_INT(read.items[1].commit_first, 1);
	CHECK_SLICE(read.items[1].topic, "");
	CHECK_SLICE(read.items[1].headers, "");
	CHECK(check_equal(&read.items[1].link, &made->append.last_link));
	CHECK_INT(check_log(), 2);
}

EACH(expected_versions_decide)
{
	static const struct {
		enum expected_kind kind;
		stream_version version;
		bool empty; /* holds on a stream without events */
		bool two;   /* holds on one with two */
	} rows[] = { { EXPECTED_ANY, 0, true, true },       { EXPECTED_NO_STREAM, 0, true, false },
		     { EXPECTED_EXISTS, 0, false, true },   { EXPECTED_EXACTLY, 0, true, false },
		     { EXPECTED_EXACTLY, 1, false, false }, { EXPECTED_EXACTLY, 2, false, true },
		     { EXPECTED_EXACTLY, 3, false, false } };

	put(store, "shop.cart/two", "1");
	put(store, "shop.cart/two", "2");
	for (size_t i = 0; i < countof(rows); i++) {
		for (int two = 0; two < 2; two++) {
			struct draft *made = draft();
			bool wins = two ? rows[i].two : rows[i].empty;

			on(made, two ? "shop.cart/two" : "shop.cart/empty", rows[i].kind, rows[i].version);
			event(made, on(made, "shop.log/x", EXPECTED_ANY, 0), "Seen", "1");
			CHECK_INT(commit_one(store, made), wins ? APPEND_DONE : APPEND_CONFLICT);
			CHECK_INT(made->append.versions[0], two ? 2 : 0);
			if (!wins) {
				CHECK_INT(made->append.conflict_stream, 0);
				CHECK_INT(made->append.actual, two ? 2 : 0);
			}
		}
	}
	check_log();
}

EACH(several_streams_in_one_append)
{
	struct draft *made = draft();
	stream_version version;
	uint32_t from = on(made, "bank.account/a", EXPECTED_NO_STREAM, 0),
		 to = on(made, "bank.account/b", EXPECTED_ANY, 0);

	event(made, from, "Out", "1");
	event(made, to, "In", "2");
	event(made, from, "Fee", "3");
	CHECK_INT(commit_one(store, made), APPEND_DONE);
	CHECK_INT(made->append.versions[0], 2);
	CHECK_INT(made->append.versions[1], 1);
	CHECK_INT(stream("bank.account/a", 1, 9, &version).count, 2);
	CHECK_INT(stream("bank.account/b", 1, 9, &version).count, 1);

	made = draft();
	from = on(made, "bank.account/a", EXPECTED_EXACTLY, 2);
	on(made, "bank.account/b", EXPECTED_EXACTLY, 7);
	event(made, from, "Out", "4");
	CHECK_INT(commit_one(store, made), APPEND_CONFLICT);
	CHECK_INT(made->append.conflict_stream, 1);
	CHECK_INT(made->append.actual, 1);
	CHECK_INT(made->append.versions[0], 2);
	CHECK_INT(check_log(), 3);
}

EACH(a_group_sees_itself_and_a_loser_drops_alone)
{
	struct draft *drafts[6];
	stream_version version;

	for (size_t i = 0; i < 6; i++) {
		drafts[i] = draft();
		/* the third and fifth believe in a version that is not there */
		event(drafts[i],
		      on(drafts[i], "shop.cart/1", EXPECTED_EXACTLY,
			 i < 2    ? i
			 : i == 3 ? 2
			 : i == 5 ? 3
				  : 99),
		      "Put", "1");
	}
	commit(store, drafts, 6);
	CHECK_INT(drafts[0]->append.answer, APPEND_DONE);
	CHECK_INT(drafts[1]->append.answer, APPEND_DONE);
	CHECK_INT(drafts[2]->append.answer, APPEND_CONFLICT);
	CHECK_INT(drafts[2]->append.actual, 2);
	CHECK_INT(drafts[3]->append.answer, APPEND_DONE);
	CHECK_INT(drafts[4]->append.answer, APPEND_CONFLICT);
	CHECK_INT(drafts[5]->append.answer, APPEND_DONE);
	CHECK_INT(drafts[5]->append.first, 4);
	CHECK_INT(stream("shop.cart/1", 1, 9, &version).count, 4);
	CHECK_INT(version, 4);
	CHECK_INT(check_log(), 4);
}

EACH(entries_that_are_no_events_have_no_version)
{
	struct draft *made = draft();
	struct entries log;
	stream_version version;
	uint32_t cart = on(made, "shop.cart/1", EXPECTED_NO_STREAM, 0), only = on(made, "shop.cart/2", EXPECTED_ANY, 0);

	event(made, cart, "Told", "1")->kind = ENTRY_MESSAGE;
	made->entries[0].topic = SLICE("news");
	event(made, cart, "Put", "2");
	event(made, only, "State", "3")->kind = ENTRY_DOCUMENT;
	event(made, only, "Wake", "4")->kind = ENTRY_TIMER;
	event(made, cart, "Put", "5");
	CHECK_INT(commit_one(store, made), APPEND_DONE);
	CHECK_INT(made->append.versions[0], 2);
	CHECK_INT(made->append.versions[1], 0);
	CHECK_INT(stream("shop.cart/1", 1, 9, &version).count, 2);
	CHECK_INT(version, 2);
	CHECK_INT(stream("shop.cart/2", 1, 9, &version).count, 0);
	CHECK_INT(version, 0);
	log = whole_log(NULL, 9);
	CHECK_INT(log.count, 5);
	CHECK_INT(log.items[0].kind, ENTRY_MESSAGE);
	CHECK_INT(log.items[2].kind, ENTRY_DOCUMENT);
	CHECK_INT(log.items[3].kind, ENTRY_TIMER);
	made = draft();
	event(made, on(made, "shop.cart/2", EXPECTED_NO_STREAM, 0), "Put", "6");
	CHECK_INT(commit_one(store, made), APPEND_DONE);
	CHECK_INT(stream("shop.cart/2", 1, 9, &version).count, 1);
	check_log();
}

EACH(records_keep_their_rules)
{
	struct draft *made = draft();

	record(made, RECORD_PUT, "a", "1", "");
	record(made, RECORD_ABSENT, "b", "2", "");
	CHECK_INT(commit_one(store, made), APPEND_DONE);
	CHECK_INT(made->append.first, 0);
	CHECK_INT(store_head(store), 0);
	CHECK(has_record("a", "1"));

	made = draft();
	record(made, RECORD_EQUALS, "a", "3", "1");
	record(made, RECORD_ABSENT, "b", "4", "");
	CHECK_INT(commit_one(store, made), APPEND_RECORD_CONFLICT);
	CHECK_INT(made->append.conflict_record, 1);
	CHECK(has_record("a", "1"));

	made = draft();
	record(made, RECORD_EQUALS, "a", "3", "9");
	CHECK_INT(commit_one(store, made), APPEND_RECORD_CONFLICT);

	made = draft();
	record(made, RECORD_EQUALS, "none", "3", "");
	CHECK_INT(commit_one(store, made), APPEND_RECORD_CONFLICT);

	made = draft();
	record(made, RECORD_EQUALS, "a", "", "1");
	record(made, RECORD_REMOVE, "none", "", "");
	record(made, RECORD_REMOVE_EQUALS, "b", "", "2");
	CHECK_INT(commit_one(store, made), APPEND_DONE);
	CHECK(has_record("a", ""));
	CHECK(!has_record("b", NULL));

	made = draft();
	record(made, RECORD_REMOVE_EQUALS, "b", "", "2");
	CHECK_INT(commit_one(store, made), APPEND_RECORD_CONFLICT);
}

EACH(later_records_of_an_append_win_and_see_the_earlier)
{
	struct draft *drafts[3];

	drafts[0] = draft();
	record(drafts[0], RECORD_PUT, "k", "1", "");
	record(drafts[0], RECORD_REMOVE_EQUALS, "k", "", "1");
	record(drafts[0], RECORD_ABSENT, "k", "2", "");
	drafts[1] = draft(); /* loses against the first */
	event(drafts[1], on(drafts[1], "shop.cart/1", EXPECTED_ANY, 0), "Put", "1");
	record(drafts[1], RECORD_ABSENT, "k", "3", "");
	drafts[2] = draft();
	record(drafts[2], RECORD_EQUALS, "k", "4", "2");
	commit(store, drafts, 3);
	CHECK_INT(drafts[0]->append.answer, APPEND_DONE);
	CHECK_INT(drafts[1]->append.answer, APPEND_RECORD_CONFLICT);
	CHECK_INT(drafts[2]->append.answer, APPEND_DONE);
	CHECK(has_record("k", "4"));
	CHECK_INT(store_head(store), 0);
}

EACH(records_are_listed_in_order_of_their_bytes)
{
	struct record *records;
	struct draft *made = draft();
	size_t count;

	record(made, RECORD_PUT, "b", "2", "");
	record(made, RECORD_PUT, "a", "1", "");
	record(made, RECORD_PUT, "aa", "3", "");
	made->records[made->append.record_count++] =
		(struct record_write){ RECORD_PUT, SLICE("other"), SLICE("a\0b"), SLICE("4"), SLICE_NONE };
	CHECK_INT(commit_one(store, made), APPEND_DONE);
	CHECK_INT(store_list_records(reader, SLICE("space"), SLICE_NONE, 2, &arena, &records, &count, &fault), 0);
	CHECK_INT(count, 2);
	CHECK_SLICE(records[0].key, "a");
	CHECK_SLICE(records[1].key, "aa");
	CHECK_INT(store_list_records(reader, SLICE("space"), SLICE("aa"), 9, &arena, &records, &count, &fault), 0);
	CHECK_INT(count, 1);
	CHECK_SLICE(records[0].key, "b");
	CHECK_SLICE(records[0].value, "2");
	CHECK_INT(store_list_records(reader, SLICE("other"), SLICE_NONE, 9, &arena, &records, &count, &fault), 0);
	CHECK_INT(count, 1);
	CHECK_INT(records[0].key.size, 3);
	CHECK_INT(store_list_records(reader, SLICE("third"), SLICE_NONE, 9, &arena, &records, &count, &fault), 0);
	CHECK_INT(count, 0);
}

EACH(a_command_is_remembered)
{
	struct remembered remembered;
	struct fingerprint other = { "other" };
	struct draft *made = draft(), *drafts[2];

	name_command(made, "one", "print", "the answer");
	event(made, on(made, "shop.cart/1", EXPECTED_NO_STREAM, 0), "Put", "1");
	event(made, 0, "Put", "2");
	CHECK_INT(commit_one(store, made), APPEND_DONE);

	made = draft(); /* again: also when its expectation no longer holds */
	now_us += 5;
	name_command(made, "one", "print", "another answer");
	event(made, on(made, "shop.cart/1", EXPECTED_NO_STREAM, 0), "Put", "1");
	CHECK_INT(commit_one(store, made), APPEND_REPEATED);
	CHECK_INT(made->append.first, 1);
	CHECK_INT(made->append.last, 2);
	CHECK_INT(made->append.recorded_at_us, now_us - 5);
	CHECK_SLICE(made->append.repeated_reply, "the answer");

	made = draft();
	name_command(made, "one", "other", "");
	event(made, on(made, "shop.cart/2", EXPECTED_ANY, 0), "Put", "1");
	CHECK_INT(commit_one(store, made), APPEND_MISMATCH);
	CHECK_INT(store_head(store), 2);

	CHECK_INT(store_find_command(reader, &made->id, &other, &arena, &remembered, &fault), 0);
	CHECK(remembered.found && !remembered.same);
	CHECK_INT(store_find_command(reader, &made->id, NULL, &arena, &remembered, &fault), 0);
	CHECK(remembered.found && remembered.same);
	CHECK_INT(remembered.first, 1);
	CHECK_INT(remembered.last, 2);
	CHECK_SLICE(remembered.reply, "the answer");

	for (size_t i = 0; i < 2; i++) { /* twice in one group */
		drafts[i] = draft();
		name_command(drafts[i], "two", "print", i == 0 ? "first" : "second");
		event(drafts[i], on(drafts[i], "shop.cart/3", EXPECTED_ANY, 0), "Put", "1");
	}
	commit(store, drafts, 2);
	CHECK_INT(drafts[0]->append.answer, APPEND_DONE);
	CHECK_INT(drafts[1]->append.answer, APPEND_REPEATED);
	CHECK_INT(drafts[1]->append.first, 3);
	CHECK_SLICE(drafts[1]->append.repeated_reply, "first");
	CHECK_INT(check_log(), 3);
}

EACH(a_command_without_entries_is_remembered_too)
{
	struct remembered remembered;

	for (int i = 0; i < 60; i++) {
		char id[16];

		snprintf(id, sizeof(id), "id-%d", i);
		for (int again = 0; again < 2; again++) {
			struct draft *made = draft();

			name_command(made, id, "print", id);
			if (i % 3 == 0)
				record(made, RECORD_PUT, id, "1", "");
			CHECK_INT(commit_one(store, made), again ? APPEND_REPEATED : APPEND_DONE);
			CHECK_INT(made->append.first, 0);
			CHECK_INT(made->append.last, 0);
			if (again)
				CHECK_SLICE(made->append.repeated_reply, id);
		}
		if (i % 2 == 0)
			put(store, "shop.cart/1", "1");
	}
	for (int i = 0; i < 60; i++) {
		struct command_id id = { { 0 } };

		snprintf((char *)id.bytes, sizeof(id.bytes), "id-%d", i);
		CHECK_INT(store_find_command(reader, &id, NULL, &arena, &remembered, &fault), 0);
		CHECK(remembered.found);
		CHECK_SLICE(remembered.reply, (char *)id.bytes);
	}
	CHECK_INT(check_log(), 30);
}

EACH(a_conflict_is_not_remembered)
{
	struct draft *made = draft();

	name_command(made, "id", "print", "1");
	event(made, on(made, "shop.cart/1", EXPECTED_EXISTS, 0), "Put", "1");
	CHECK_INT(commit_one(store, made), APPEND_CONFLICT);
	put(store, "shop.cart/1", "0");
	made = draft();
	name_command(made, "id", "print", "2");
	event(made, on(made, "shop.cart/1", EXPECTED_EXISTS, 0), "Put", "1");
	CHECK_INT(commit_one(store, made), APPEND_DONE);
}

EACH(time_never_goes_back)
{
	log_position position;

	put(store, "shop.cart/1", "1");
	now_us -= 1000;
	put(store, "shop.cart/1", "2");
	now_us += 3000;
	put(store, "shop.cart/1", "3");
	CHECK_INT(check_log(), 3);
	CHECK_INT(store_position_at(reader, now_us, &position, &fault), 0);
	CHECK_INT(position, 3);
	CHECK_INT(store_position_at(reader, now_us - 1, &position, &fault), 0);
	CHECK_INT(position, 2);
	CHECK_INT(store_position_at(reader, now_us - 2001, &position, &fault), 0);
	CHECK_INT(position, 0);
	CHECK_INT(store_position_at(reader, INT64_MAX, &position, &fault), 0);
	CHECK_INT(position, 3);
}

EACH(reads_come_in_pages)
{
	struct entries read;
	stream_version version;
	log_position seen;

	for (int i = 0; i < 50; i++)
		put(store, i % 2 ? "shop.cart/odd" : "shop.cart/even", "123456789");
	read = stream("shop.cart/odd", 1, 10, &version);
	CHECK_INT(read.count, 10);
	CHECK_INT(version, 25);
	CHECK_INT(read.items[9].version, 10);
	CHECK_INT(read.items[9].position, 20);
	read = stream("shop.cart/odd", 21, 10, &version);
	CHECK_INT(read.count, 5);
	CHECK_INT(read.items[4].position, 50);
	for (stream_version from = 1; from <= 25; from++) {
		read = stream("shop.cart/even", from, 3, &version);
		CHECK_INT(read.count, from <= 23 ? 3 : 26 - from);
		for (size_t i = 0; i < read.count; i++) {
			CHECK_INT(read.items[i].version, from + i);
			CHECK_INT(read.items[i].position, 2 * (from + i) - 1);
		}
	}
	read = stream("shop.cart/odd", 26, 10, &version);
	CHECK_INT(read.count, 0);
	CHECK_INT(version, 25);
	CHECK_INT(store_read_stream(reader, SLICE("shop.cart/odd"), 3, (struct read_limit){ 100, 30 }, &arena, &read,
				    &version, &fault),
		  0);
	CHECK_INT(read.count, 3);
	CHECK_INT(store_read_stream(reader, SLICE("shop.cart/odd"), 3, (struct read_limit){ 100, 1 }, &arena, &read,
				    &version, &fault),
		  0);
	CHECK_INT(read.count, 1);
	CHECK_INT(store_read_log(reader, 10, NULL, (struct read_limit){ 100, 30 }, &arena, &read, &seen, &fault), 0);
	CHECK_INT(read.count, 3);
	CHECK_INT(seen, 13);
	CHECK_INT(store_read_log(reader, 50, NULL, (struct read_limit){ 100, 0 }, &arena, &read, &seen, &fault), 0);
	CHECK_INT(read.count, 0);
	CHECK_INT(seen, 50);
	CHECK_INT(check_log(), 50);
}

EACH(the_log_is_filtered)
{
	struct draft *made;
	struct log_filter filter = { .domain = SLICE("shop") };
	struct entries read;
	log_position seen;

	for (int i = 0; i < 10; i++) {
		put(store, "shop.cart/1", "1");
		put(store, "shopping.cart/1", "1");
		made = draft();
		event(made, on(made, "shop.order/1", EXPECTED_ANY, 0), "Put", "1")->topic = SLICE("orders");
		CHECK_INT(commit_one(store, made), APPEND_DONE);
	}
	CHECK_INT(whole_log(&filter, 3).count, 20);
	filter = (struct log_filter){ .stream_prefix = SLICE("shop.order/") };
	CHECK_INT(whole_log(&filter, 3).count, 10);
	filter = (struct log_filter){ .published_only = true };
	CHECK_INT(whole_log(&filter, 3).count, 10);
	filter = (struct log_filter){ .domain = SLICE("shopping"), .published_only = true };
	CHECK_INT(whole_log(&filter, 3).count, 0);
	made = draft();
	event(made, on(made, "shop.order/2", EXPECTED_ANY, 0), "Put", "1")->kind = ENTRY_DOCUMENT;
	event(made, 0, "Put", "1");
	CHECK_INT(commit_one(store, made), APPEND_DONE);
	filter = (struct log_filter){ .stream_prefix = SLICE("shop.order/") };
	CHECK_INT(whole_log(&filter, 3).count, 12);
	filter.events_only = true;
	CHECK_INT(whole_log(&filter, 3).count, 11);
	/* no further than it is told, though nothing there matches; beyond the head it is the head */
	filter.until = 30;
	CHECK_INT(whole_log(&filter, 3).count, 10);
	filter.stream_prefix = SLICE("shop.cart/");
	filter.until = 11;
	CHECK_INT(store_read_log(reader, 0, &filter, (struct read_limit){ 100, 0 }, &arena, &read, &seen, &fault), 0);
	CHECK_INT(read.count, 4);
	CHECK_INT(seen, 11);
	filter.until = 99;
	CHECK_INT(store_read_log(reader, 20, &filter, (struct read_limit){ 100, 0 }, &arena, &read, &seen, &fault), 0);
	CHECK_INT(read.count, 3);
	CHECK_INT(seen, 32);
	check_log();
}

EACH(streams_are_listed_in_order_of_their_bytes)
{
	struct slice *names;
	size_t count;

	put(store, "shop.cart/b", "1");
	put(store, "bank.account/z", "1");
	put(store, "shop.cart/a", "1");
	put(store, "shop.cart/a", "2");
	CHECK_INT(store_list_streams(reader, SLICE_NONE, SLICE_NONE, 10, &arena, &names, &count, &fault), 0);
	CHECK_INT(count, 3);
	CHECK_SLICE(names[0], "bank.account/z");
	CHECK_SLICE(names[1], "shop.cart/a");
	CHECK_SLICE(names[2], "shop.cart/b");
	CHECK_INT(store_list_streams(reader, SLICE("shop."), SLICE_NONE, 1, &arena, &names, &count, &fault), 0);
	CHECK_INT(count, 1);
	CHECK_SLICE(names[0], "shop.cart/a");
	CHECK_INT(store_list_streams(reader, SLICE("shop."), SLICE("shop.cart/a"), 9, &arena, &names, &count, &fault),
		  0);
	CHECK_INT(count, 1);
	CHECK_SLICE(names[0], "shop.cart/b");
}

EACH(wrong_arguments_fail_alone)
{
	struct draft *drafts[9];
	struct entries read;
	stream_version version;

	for (size_t i = 0; i < 9; i++) {
		drafts[i] = draft();
		event(drafts[i], on(drafts[i], "shop.cart/1", EXPECTED_ANY, 0), "Put", "1");
	}
	drafts[1]->streams[0].name = SLICE("no stream");
	drafts[2]->entries[0].stream = 1;
	drafts[3]->entries[0].type = SLICE_NONE;
	drafts[4]->entries[0].kind = 0;
	drafts[5]->entries[0].schema_version = 0;
	on(drafts[6], "shop.cart/1", EXPECTED_ANY, 0);
	drafts[7]->entries[0].data.size = ENTRY_DATA_MAX + 1;
	{
		struct append *appends[9];

		for (size_t i = 0; i < 9; i++) {
			if (i != 2 && i != 7)
				digest(drafts[i]);
			appends[i] = &drafts[i]->append;
		}
		CHECK_INT(store_commit(store, appends, 9, &fault), COMMIT_DONE);
	}
	for (size_t i = 0; i < 9; i++)
		CHECK_INT(drafts[i]->append.answer, i == 0 || i == 8 ? APPEND_DONE : APPEND_FAILED);
	CHECK_INT(drafts[1]->append.fault.class, FAULT_INPUT);
	CHECK_INT(drafts[7]->append.fault.class, FAULT_LIMIT);
	CHECK_INT(check_log(), 2);
	CHECK_INT(store_read_stream(reader, SLICE("shop.cart/1"), 0, (struct read_limit){ 1, 0 }, &arena, &read,
				    &version, &fault),
		  -1);
	CHECK_INT(fault.class, FAULT_INPUT);
	CHECK_INT(store_read_log(reader, 0, NULL, (struct read_limit){ 0, 0 }, &arena, &read, &version, &fault), -1);
	CHECK_INT(fault.class, FAULT_INPUT);
}

/* Many streams in a chance order, against plain counting. */
EACH(many_streams_keep_their_own_versions)
{
	enum { STREAMS = 37, EVENTS = 700 };
	stream_version versions[STREAMS] = { 0 }, version;
	uint64_t chance = 12345;

	for (int i = 0; i < EVENTS;) {
		struct draft *drafts[8];
		size_t which[8], count = 0;

		for (; count < 8 && i < EVENTS; count++, i++) {
			char name[32];

			chance = chance * 6364136223846793005u + 1442695040888963407u;
			which[count] = (size_t)(chance >> 33) % STREAMS;
			snprintf(name, sizeof(name), "shop.cart/%zu", which[count]);
			drafts[count] = draft();
			event(drafts[count],
			      on(drafts[count], arena_text(&arena, slice_text(name)), EXPECTED_EXACTLY,
				 versions[which[count]]++),
			      "Put", "1");
		}
		commit(store, drafts, count);
		for (size_t k = 0; k < count; k++)
			CHECK_INT(drafts[k]->append.answer, APPEND_DONE);
	}
	for (size_t i = 0; i < STREAMS; i++) {
		char name[32];
		struct entries read;

		snprintf(name, sizeof(name), "shop.cart/%zu", i);
		read = stream(name, 1, 1000, &version);
		CHECK_INT(version, versions[i]);
		CHECK_INT(read.count, versions[i]);
		for (size_t k = 0; k < read.count; k++)
			CHECK_INT(read.items[k].version, k + 1);
	}
	CHECK_INT(check_log(), EVENTS);
}

/* Readers beside the committer: no gap, nothing new at or below what was seen, versions as old as the events [I4]. */
struct beside {
	struct store *store;
	atomic_bool stop;
	const char *wrong;
};

static void *
read_beside(void *argument)
{
	struct beside *beside = argument;
	struct store_reader *own;
	struct fault trouble;
	struct arena memory;
	log_position at = 0;

	arena_init(&memory, SIZE_MAX);
	if (store_reader_open(beside->store, &own, &trouble) != 0) {
		beside->wrong = "a reader cannot be opened";
		return NULL;
	}
	while (beside->wrong == NULL && !(atomic_load(&beside->stop) && at == store_head(beside->store))) {
		struct entries page, events;
		stream_version version;
		log_position seen;

		if (store_read_log(own, at, NULL, (struct read_limit){ 20, 0 }, &memory, &page, &seen, &trouble) != 0)
			beside->wrong = "the log cannot be read";
		for (size_t i = 0; beside->wrong == NULL && i < page.count; i++)
			if (page.items[i].position != at + 1 + i)
				beside->wrong = "a position was skipped";
		if (beside->wrong == NULL && seen > store_head(beside->store))
			beside->wrong = "more was seen than is durable";
		if (beside->wrong == NULL && page.count != 0) {
			const struct recorded_entry *last = &page.items[page.count - 1];

			if (store_read_stream(own, last->stream, 1, (struct read_limit){ 10000, 0 }, &memory, &events,
					      &version, &trouble) != 0)
				beside->wrong = "a stream cannot be read";
			else if (version < last->version || events.count != version)
				beside->wrong = "a stream ends before what was seen of it";
		}
		at = seen;
		arena_clear(&memory);
	}
	store_reader_close(own);
	arena_fini(&memory);
	return NULL;
}

EACH(readers_beside_the_committer_skip_nothing)
{
	struct beside beside[3] = { { .store = store }, { .store = store }, { .store = store } };
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, read_beside, &beside[i]), 0);
	for (int i = 0; i < 200; i++) {
		struct draft *drafts[3];

		for (int k = 0; k < 3; k++) {
			char name[32];

			snprintf(name, sizeof(name), "shop.cart/%d", (i * 7 + k) % 11);
			drafts[k] = draft();
			event(drafts[k], on(drafts[k], arena_text(&arena, slice_text(name)), EXPECTED_ANY, 0), "Put",
			      "1");
		}
		commit(store, drafts, 3);
		store_idle(store);
	}
	for (int i = 0; i < 3; i++)
		atomic_store(&beside[i].stop, true);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		if (beside[i].wrong != NULL)
			CHECK_FAIL("%s: %s", store_rooms[room].name, beside[i].wrong);
	}
}

TEST_MAIN()
