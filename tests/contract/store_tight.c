/* SPDX-License-Identifier: MIT */
/*
 * Memory that does not suffice, against every room: a read gives all that was asked for or a MEMORY fault, never a
 * part; a commit is done whole or not at all [I3]. The caps grow until everything fits.
 */
#include "contract/store_rooms.h"
#include "support/check.h"

#define STREAMS 70
#define STEP    48 /* bytes that the cap grows by */

static size_t room;
static struct store *store;
static struct store_reader *reader;
static struct arena plenty, tight;
static struct fault fault;

struct sample {
	struct append append;
	struct append_stream stream;
	struct new_entry entry;
	struct record_write record;
	struct command_id id;
};

static void
make(struct sample *sample, int number)
{
	*sample = (struct sample){
		.stream = { arena_format(&plenty, "shop.cart/%03d", number % STREAMS), { EXPECTED_ANY, 0 } },
		.entry = { .kind = number % 3 ? ENTRY_EVENT : ENTRY_MESSAGE,
			   .schema_version = 1,
			   .type = SLICE("Put"),
			   .topic = number % 3 ? SLICE_NONE : SLICE("carts"),
			   .data = SLICE("{\"text\":\"of some length, so that it takes room\"}"),
			   .key = SLICE("key"),
			   .headers = SLICE("{\"a\":1}") },
		.record = { RECORD_PUT, SLICE("space"), arena_format(&plenty, "key-%03d", number), SLICE("value"),
			    SLICE_NONE },
		.id = { { 'c', (uint8_t)number } },
	};
	sample->append = (struct append){ .streams = &sample->stream,
					  .stream_count = 1,
					  .entries = &sample->entry,
					  .entry_count = 1,
					  .records = &sample->record,
					  .record_count = 1,
					  .command_id = &sample->id,
					  .reply = SLICE("{\"reply\":true}"),
					  .provenance = { .actor = SLICE("somebody"), .correlation_id = SLICE("c") },
					  .arena = &plenty };
	entry_digest(&sample->entry, sample->stream.name, 0, &sample->append.provenance, &sample->entry.digest);
}

static void
begin(void)
{
	arena_init(&plenty, SIZE_MAX);
	store = store_rooms[room].open(NULL);
	if (store_reader_open(store, &reader, &fault) != 0)
		CHECK_FAIL("reader: %s", fault.text);
	for (int i = 0; i < 2 * STREAMS; i++) {
		struct sample sample;
		struct append *appends[] = { &sample.append };

		make(&sample, i);
		CHECK_INT(store_commit(store, appends, 1, &fault), COMMIT_DONE);
		CHECK_INT(sample.append.answer, APPEND_DONE);
	}
}

static void
end(void)
{
	store_reader_close(reader);
	store_rooms[room].close(store);
	arena_fini(&plenty);
}

/* Gives the result, and how many things were read. */
typedef int (*read_call)(size_t *count);

static int
a_stream(size_t *count)
{
	struct entries entries;
	stream_version version;
	int result = store_read_stream(reader, SLICE("shop.cart/001"), 1, (struct read_limit){ 10, 0 }, &tight,
				       &entries, &version, &fault);

	*count = entries.count;
	return result;
}

static int
the_log(size_t *count)
{
	struct entries entries;
	log_position seen;
	int result = store_read_log(reader, 10, NULL, (struct read_limit){ 20, 0 }, &tight, &entries, &seen, &fault);

	*count = entries.count;
	return result;
}

static int
what_is_published(size_t *count)
{
	const struct log_filter filter = { .domain = SLICE("shop"), .published_only = true };
	struct entries entries;
	log_position seen;
	int result = store_read_log(reader, 0, &filter, (struct read_limit){ 10, 0 }, &tight, &entries, &seen, &fault);

	*count = entries.count;
	return result;
}

static int
the_streams(size_t *count)
{
	struct slice *names;

	return store_list_streams(reader, SLICE("shop."), SLICE_NONE, 1000, &tight, &names, count, &fault);
}

static int
the_records(size_t *count)
{
	struct record *records;

	return store_list_records(reader, SLICE("space"), SLICE_NONE, 1000, &tight, &records, count, &fault);
}

static int
a_record(size_t *count)
{
	struct slice value;
	bool found = false;
	int result = store_read_record(reader, SLICE("space"), SLICE("key-007"), &tight, &value, &found, &fault);

	*count = found;
	return result;
}

static int
a_command(size_t *count)
{
	const struct command_id id = { { 'c', 9 } };
	struct remembered remembered = { 0 };
	int result = store_find_command(reader, &id, NULL, &tight, &remembered, &fault);

	*count = remembered.found;
	return result;
}

TEST(a_read_gives_all_or_a_fault)
{
	static const struct {
		const char *name;
		read_call call;
		size_t wanted;
	} reads[] = { { "a stream", a_stream, 2 },
		      { "the log", the_log, 20 },
		      { "published", what_is_published, 10 },
		      { "streams", the_streams, STREAMS },
		      { "records", the_records, 2 * STREAMS },
		      { "a record", a_record, 1 },
		      { "a command", a_command, 1 } };

	for (room = 0; room < store_room_count; room++) {
		begin();
		for (size_t i = 0; i < countof(reads); i++) {
			size_t cap = 0, count, refused = 0;

			for (;; cap += STEP) {
				int result;

				arena_init(&tight, cap);
				result = reads[i].call(&count);
				arena_fini(&tight);
				if (result == 0)
					break;
				refused++;
				if (fault.class != FAULT_MEMORY)
					CHECK_FAIL("%s, %s in %zu bytes: %s", store_rooms[room].name, reads[i].name,
						   cap, fault.text);
			}
			if (count != reads[i].wanted)
				CHECK_FAIL("%s, %s in %zu bytes: %zu", store_rooms[room].name, reads[i].name, cap,
					   count);
			CHECK(refused != 0);
		}
		end();
	}
}

TEST(a_commit_is_done_whole_or_not_at_all)
{
	for (room = 0; room < store_room_count; room++) {
		log_position head;
		int refused = 0;

		begin();
		head = store_head(store);
		for (size_t cap = 0;; cap++) {
			struct sample sample;
			struct append *appends[] = { &sample.append };
			enum commit_result result;

			make(&sample, 200);
			arena_init(&tight, cap);
			sample.append.arena = &tight;
			result = store_commit(store, appends, 1, &fault);
			arena_fini(&tight);
			if (result == COMMIT_DONE && sample.append.answer == APPEND_DONE)
				break;
			CHECK(result == COMMIT_NOT_ATTEMPTED || sample.append.answer == APPEND_FAILED);
			CHECK_INT(result == COMMIT_DONE ? sample.append.fault.class : fault.class, FAULT_MEMORY);
			CHECK_INT(store_head(store), head);
			refused++;
		}
		CHECK(refused != 0);
		CHECK_INT(store_head(store), head + 1);
		end();
	}
}

/* The first answer to a command, asked for again in the same group and later. */
TEST(a_repeat_without_memory_is_no_answer)
{
	for (room = 0; room < store_room_count; room++)
		for (int later = 0; later < 2; later++) {
			begin();
			for (size_t cap = 0;; cap++) {
				struct sample first, second;
				struct append *appends[] = { &first.append, &second.append };
				enum append_answer answer;
				enum commit_result result;

				make(&first, 201);
				make(&second, 201);
				arena_init(&tight, cap);
				second.append.arena = &tight;
				if (later)
					CHECK_INT(store_commit(store, appends, 1, &fault), COMMIT_DONE);
				result = store_commit(store, appends + later, 2 - (size_t)later, &fault);
				answer = second.append.answer;
				if (result == COMMIT_DONE && answer == APPEND_REPEATED)
					CHECK_SLICE(second.append.repeated_reply, "{\"reply\":true}");
				arena_fini(&tight);
				if (result == COMMIT_DONE && answer == APPEND_REPEATED)
					break;
				CHECK(answer == APPEND_NONE || answer == APPEND_FAILED);
			}
			end();
		}
}

TEST_MAIN()
