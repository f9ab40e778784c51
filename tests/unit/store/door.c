/* SPDX-License-Identifier: MIT */
/* What the store's door refuses before a room sees it; a refused append drops only itself from its group [I3]. */
#include "store/memory/memory.h"
#include "support/check.h"

static struct store *store;
static struct store_reader *reader;
static struct arena arena;
static struct fault fault;
static char *large; /* more than any text may have */

struct sample {
	struct append append;
	struct append_stream streams[2];
	struct new_entry entry;
	struct record_write record;
};

/* An append that is right in every part. */
static struct sample *
begin(void)
{
	static struct sample sample;

	if (store == NULL) {
		CHECK_INT(memory_open(NULL, &store, &fault), 0);
		CHECK_INT(store_reader_open(store, &reader, &fault), 0);
		arena_init(&arena, SIZE_MAX);
		large = arena_alloc(&arena, STORE_VALUE_MAX + 1);
		memset(large, 'x', STORE_VALUE_MAX + 1);
	}
	sample = (struct sample){ 0 };
	sample.streams[0].name = SLICE("shop.cart/1");
	sample.streams[1].name = SLICE("shop.cart/2");
	sample.entry = (struct new_entry){
		.kind = ENTRY_EVENT, .schema_version = 1, .type = SLICE("Put"), .data = SLICE("{}")
	};
	sample.record = (struct record_write){ RECORD_PUT, SLICE("space"), SLICE("key"), SLICE("1"), SLICE_NONE };
	sample.append = (struct append){ .streams = sample.streams,
					 .stream_count = 2,
					 .entries = &sample.entry,
					 .entry_count = 1,
					 .records = &sample.record,
					 .record_count = 1,
					 .arena = &arena };
	return &sample;
}

static void
commit(struct sample *sample)
{
	struct append *appends[] = { &sample->append };

	entry_digest(&sample->entry, sample->streams[0].name, sample->append.generation, &sample->append.provenance,
		     &sample->entry.digest);
	CHECK_INT(store_commit(store, appends, 1, &fault), COMMIT_DONE);
}

static void
refused(struct sample *sample, enum fault_class class, const char *code, const char *words)
{
	log_position head = store_head(store);

	commit(sample);
	CHECK_INT(sample->append.answer, APPEND_FAILED);
	CHECK_INT(sample->append.fault.class, class);
	CHECK_TEXT(sample->append.fault.code, code);
	if (strstr(sample->append.fault.text, words) == NULL)
		CHECK_FAIL("\"%s\" does not say \"%s\"", sample->append.fault.text, words);
	CHECK_INT(store_head(store), head);
}

TEST(a_right_append_passes)
{
	struct sample *sample = begin();

	commit(sample);
	CHECK_INT(sample->append.answer, APPEND_DONE);
}

TEST(entries_are_looked_at)
{
	struct sample *sample = begin();

	sample->entry.kind = (enum entry_kind)0;
	refused(sample, FAULT_INPUT, "bad_append", "entry 0: unknown kind 0");
	sample->entry.kind = (enum entry_kind)5;
	refused(sample, FAULT_INPUT, "bad_append", "unknown kind 5");
	sample = begin();
	sample->entry.stream = 2;
	refused(sample, FAULT_INPUT, "bad_append", "names stream 2 of 2");
	sample = begin();
	sample->entry.schema_version = 0;
	refused(sample, FAULT_INPUT, "bad_append", "schema versions begin at 1");
	sample = begin();
	sample->entry.kind = ENTRY_MESSAGE;
	refused(sample, FAULT_INPUT, "bad_append", "a message needs a topic");
	sample = begin();
	sample->entry.type = SLICE_NONE;
	refused(sample, FAULT_INPUT, "bad_append", "the type is missing");
}

TEST(every_text_has_its_bound)
{
	for (int which = 0; which < 14; which++) {
		struct sample *sample = begin();
		struct provenance *from = &sample->append.provenance;
		const struct {
			struct slice *text;
			size_t most;
			const char *name;
		} texts[] = {
			{ &sample->entry.type, ENTRY_TYPE_MAX, "the type" },
			{ &sample->entry.data, ENTRY_DATA_MAX, "the data" },
			{ &sample->entry.topic, STORE_TOPIC_MAX, "the topic" },
			{ &sample->entry.key, STORE_KEY_MAX, "the key" },
			{ &sample->entry.headers, STORE_HEADERS_MAX, "the headers" },
			{ &sample->record.space, STORE_SPACE_MAX, "the record's space" },
			{ &sample->record.key, STORE_KEY_MAX, "the record's key" },
			{ &sample->record.value, STORE_VALUE_MAX, "the record's value" },
			{ &sample->record.before, STORE_VALUE_MAX, "the record's value before" },
			{ &sample->append.reply, ENTRY_DATA_MAX, "the reply" },
			{ &from->correlation_id, STORE_KEY_MAX, "the correlation id" },
			{ &from->causation_id, STORE_KEY_MAX, "the causation id" },
			{ &from->traceparent, STORE_KEY_MAX, "the traceparent" },
			{ &from->actor, STORE_KEY_MAX, "the actor" },
		};

		CHECK_INT(countof(texts), 14);
		*texts[which].text = slice_from(large, texts[which].most + 1);
		refused(sample, FAULT_LIMIT, "too_large", texts[which].name);
		*texts[which].text = slice_from(large, texts[which].most);
		commit(sample);
		if (sample->append.answer != APPEND_DONE)
			CHECK_FAIL("%s: %s", texts[which].name, sample->append.fault.text);
	}
}

TEST(streams_are_looked_at)
{
	struct sample *sample = begin();

	sample->streams[1].name = SLICE("shop");
	refused(sample, FAULT_INPUT, "bad_stream_name", "domain.aggregate/id");
	sample = begin();
	sample->streams[1].name = sample->streams[0].name;
	refused(sample, FAULT_INPUT, "bad_append", "is named twice");
}

TEST(records_are_looked_at)
{
	struct sample *sample = begin();

	sample->record.rule = (enum record_rule)9;
	refused(sample, FAULT_INPUT, "bad_append", "record 0: unknown record rule 9");
	sample = begin();
	sample->record.space = SLICE_NONE;
	refused(sample, FAULT_INPUT, "bad_append", "the record's space is missing");
	sample = begin();
	sample->record.value = slice_from(NULL, 3);
	refused(sample, FAULT_INPUT, "bad_append", "has a size but no bytes");
}

TEST(counts_have_their_bounds)
{
	struct sample *sample = begin();

	sample->append.entry_count = APPEND_ENTRY_MAX + 1;
	refused(sample, FAULT_LIMIT, "too_many_entries", "1001 entries");
	sample = begin();
	sample->append.record_count = STORE_RECORDS_MAX + 1;
	refused(sample, FAULT_LIMIT, "too_many_records", "4001 records");
	sample = begin();
	sample->append.stream_count = APPEND_ENTRY_MAX + 1;
	refused(sample, FAULT_LIMIT, "too_many_streams", "1001 streams");
	sample = begin();
	sample->append.arena = NULL;
	refused(sample, FAULT_INPUT, "bad_append", "no arena");
}

TEST(a_room_of_single_streams_is_told_apart)
{
	struct sample *sample = begin();
	struct new_entry entries[2] = { sample->entry, sample->entry };

	entries[1].stream = 1;
	for (size_t i = 0; i < 2; i++)
		entry_digest(&entries[i], sample->streams[i].name, 0, &sample->append.provenance, &entries[i].digest);
	sample->append.entries = entries;
	sample->append.entry_count = 2;
	store->multi_stream = false;
	refused(sample, FAULT_INPUT, "several_streams", "one stream an append");
	store->multi_stream = true;
	commit(sample);
	CHECK_INT(sample->append.answer, APPEND_DONE);
}

TEST(a_refused_append_drops_only_itself)
{
	struct sample *sample = begin();
	struct append bad, *appends[2];

	commit(sample);
	bad = sample->append;
	bad.arena = NULL;
	appends[0] = &bad;
	appends[1] = &sample->append;
	CHECK_INT(store_commit(store, appends, 2, &fault), COMMIT_DONE);
	CHECK_INT(bad.answer, APPEND_FAILED);
	CHECK_INT(sample->append.answer, APPEND_DONE);
}

TEST(reads_are_looked_at)
{
	const struct read_limit none = { 0, 0 }, some = { 10, 0 };
	struct verify_report report = { 0 };
	struct entries entries;
	struct record *records;
	stream_version version;
	struct slice *names, value;
	log_position seen;
	size_t count;
	bool found;

	begin();
	CHECK_INT(store_read_stream(reader, SLICE("shop.cart/1"), 0, some, &arena, &entries, &version, &fault), -1);
	CHECK_TEXT(fault.code, "bad_version");
	CHECK_INT(store_read_stream(reader, SLICE("shop"), 1, some, &arena, &entries, &version, &fault), -1);
	CHECK_TEXT(fault.code, "bad_stream_name");
	CHECK_INT(store_read_stream(reader, SLICE("shop.cart/1"), 1, none, &arena, &entries, &version, &fault), -1);
	CHECK_TEXT(fault.code, "bad_limit");
	CHECK_INT(store_read_log(reader, 0, NULL, none, &arena, &entries, &seen, &fault), -1);
	CHECK_INT(store_list_streams(reader, SLICE_NONE, SLICE_NONE, 0, &arena, &names, &count, &fault), -1);
	CHECK_INT(store_list_records(reader, SLICE("s"), SLICE_NONE, 0, &arena, &records, &count, &fault), -1);
	CHECK_INT(store_list_records(reader, SLICE_NONE, SLICE_NONE, 1, &arena, &records, &count, &fault), -1);
	CHECK_INT(store_read_record(reader, SLICE_NONE, SLICE("k"), &arena, &value, &found, &fault), -1);
	CHECK_INT(store_read_record(reader, SLICE("s"), SLICE_NONE, &arena, &value, &found, &fault), -1);
	CHECK_INT(store_verify(reader, &report, &fault), -1);
	CHECK_TEXT(fault.code, "unsupported");
	CHECK_INT(store_backup(reader, "/nowhere", &report, &fault), -1);
	CHECK_TEXT(fault.code, "unsupported");
	store_reader_close(NULL);
	store_close(NULL);
}

TEST(it_closes)
{
	begin();
	store_reader_close(reader);
	store_close(store);
	arena_fini(&arena);
	store = NULL;
}

TEST_MAIN()
