/* SPDX-License-Identifier: MIT */
#include "unit/sqlite/picture.h"

#define STREAMS  30
#define COMMANDS 40
#define RECORDS  60

static void
insist(bool holds, const struct kit *kit, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %s\n", what, kit->fault.text);
	exit(1);
}

/* A message with all the metadata there is, beside a command that records nothing but a record. */
static void
put_odd_ones(struct kit *kit, int number)
{
	char name[32], value[64];
	struct append_stream stream = { SLICE_NONE, { EXPECTED_ANY, 0 } };
	struct record_write record = { RECORD_PUT, SLICE("space"), SLICE_NONE, SLICE_NONE, SLICE_NONE };
	struct new_entry entry = { .kind = ENTRY_MESSAGE,
				   .schema_version = 2,
				   .type = SLICE("Told"),
				   .data = SLICE("{\"told\":true}"),
				   .topic = SLICE("topic"),
				   .key = SLICE("key"),
				   .headers = SLICE("{\"a\":\"b\"}") };
	struct command_id id = { { 'b', (uint8_t)number } };
	struct append message = { .streams = &stream,
				  .stream_count = 1,
				  .entries = &entry,
				  .entry_count = 1,
				  .provenance = { .correlation_id = SLICE("correlated"), .actor = SLICE("somebody") },
				  .arena = &kit->arena };
	struct append bare = {
		.command_id = &id, .reply = SLICE("true"), .records = &record, .record_count = 1, .arena = &kit->arena
	};
	struct append *appends[] = { &message, &bare };

	snprintf(name, sizeof(name), "key-%d", number * 2 % RECORDS);
	snprintf(value, sizeof(value), "the value of a record, of some length, %d", number);
	record.key = slice_text(name);
	record.value = slice_text(value);
	stream.name = arena_format(&kit->arena, "store.note/%d", number % 3);
	entry_digest(&entry, stream.name, 0, &message.provenance, &entry.digest);
	insist(store_commit(kit->store, appends, 2, &kit->fault) == COMMIT_DONE && bare.answer == APPEND_DONE &&
		       message.answer == APPEND_DONE,
	       kit, "odd ones");
}

void
picture_fill(struct kit *kit, int entries)
{
	uint64_t chance = 99;

	for (int i = 0; i < entries; i++) {
		char name[32], command[16], data[64];
		struct append append;

		if (i % 10 == 9) {
			put_odd_ones(kit, i / 10);
			continue;
		}
		chance = chance * 6364136223846793005u + 1442695040888963407u;
		snprintf(name, sizeof(name), "shop.cart/%d", (int)((chance >> 33) % STREAMS));
		snprintf(command, sizeof(command), "c%d", i);
		snprintf(data, sizeof(data), "{\"n\":%d,\"text\":\"some text of the event\"}", i);
		insist(kit_put(kit, name, data, i % 7 != 0 ? command : NULL, &append) == COMMIT_DONE &&
			       append.answer == APPEND_DONE,
		       kit, "commit");
	}
}

static uint64_t
hash_entry(const struct recorded_entry *entry, uint64_t hash)
{
	const struct slice parts[] = { entry->stream,
				       entry->type,
				       entry->data,
				       entry->topic,
				       entry->key,
				       entry->headers,
				       entry->provenance.actor,
				       entry->provenance.correlation_id };
	const uint64_t numbers[] = { entry->position,    entry->commit_first,
				     entry->commit_size, entry->kind,
				     entry->version,     entry->schema_version,
				     entry->generation,  (uint64_t)entry->recorded_at_us };

	hash = slice_hash(slice_from(numbers, sizeof(numbers)), hash);
	hash = slice_hash(slice_from(&entry->id, sizeof(entry->id)), hash);
	hash = slice_hash(slice_from(entry->link.bytes, CHECK_SIZE), hash);
	for (size_t i = 0; i < countof(parts); i++)
		hash = slice_hash(parts[i], hash);
	return hash;
}

static void
add(struct picture *picture, const char *what, int result, uint64_t hash)
{
	picture->what[picture->count] = what;
	picture->reads[picture->count++] = result != 0 ? 0 : hash | 1;
}

static void
look_at_log(struct kit *kit, const char *what, const struct log_filter *filter, struct picture *picture)
{
	struct entries entries;
	log_position at = 0, seen;
	uint64_t hash = 1;
	int result;

	do {
		result = store_read_log(kit->reader, at, filter, (struct read_limit){ 100, 0 }, &kit->arena, &entries,
					&seen, &kit->fault);
		for (size_t i = 0; result == 0 && i < entries.count; i++)
			hash = hash_entry(&entries.items[i], hash);
		at = seen;
	} while (result == 0 && entries.count != 0);
	add(picture, what, result, hash);
}

static void
look_at_stream(struct kit *kit, const char *name, stream_version from, struct picture *picture)
{
	struct entries entries = { NULL, 0 };
	stream_version version = 0;
	uint64_t hash = 2;
	int result = store_read_stream(kit->reader, slice_text(name), from, (struct read_limit){ 1000, 0 }, &kit->arena,
				       &entries, &version, &kit->fault);

	for (size_t k = 0; result == 0 && k < entries.count; k++)
		hash = hash_entry(&entries.items[k], hash);
	add(picture, "a stream", result, hash * 3 + version);
}

static void
look_at_command(struct kit *kit, const char *name, size_t size, struct picture *picture)
{
	struct remembered remembered;
	struct command_id id = { { 0 } };
	int result;

	memcpy(id.bytes, name, size);
	result = store_find_command(kit->reader, &id, NULL, &kit->arena, &remembered, &kit->fault);
	add(picture, "a command", result,
	    slice_hash(remembered.reply, remembered.first * 4 + remembered.last * 2 + remembered.found));
}

static void
look_at_records(struct kit *kit, struct picture *picture)
{
	struct record *records;
	size_t count;
	uint64_t hash = 4;
	int result;

	for (int i = 0; i < RECORDS; i++) {
		char name[32];
		struct slice value;
		bool found;

		snprintf(name, sizeof(name), "key-%d", i);
		result = store_read_record(kit->reader, SLICE("space"), slice_text(name), &kit->arena, &value, &found,
					   &kit->fault);
		add(picture, "a record", result, slice_hash(value, 4 + found));
	}
	result = store_list_records(kit->reader, SLICE("space"), SLICE_NONE, 1000, &kit->arena, &records, &count,
				    &kit->fault);
	for (size_t i = 0; result == 0 && i < count; i++)
		hash = slice_hash(records[i].value, slice_hash(records[i].key, hash));
	add(picture, "the list of records", result, hash);
}

void
picture_take(struct kit *kit, struct picture *picture)
{
	const struct log_filter notes = { .domain = SLICE("store") }, cart = { .stream_prefix = SLICE("shop.cart/1") },
				published = { .published_only = true }, events = { .events_only = true };
	struct slice *names;
	size_t count;
	uint64_t hash = 3;
	char name[32];
	int result;

	picture->count = 0;
	look_at_log(kit, "the log", NULL, picture);
	look_at_log(kit, "a domain's log", &notes, picture);
	look_at_log(kit, "a cart's log", &cart, picture);
	look_at_log(kit, "what is published", &published, picture);
	look_at_log(kit, "the events alone", &events, picture);
	for (int i = 0; i < STREAMS; i++) {
		snprintf(name, sizeof(name), "shop.cart/%d", i);
		look_at_stream(kit, name, 1 + (stream_version)i % 3, picture);
	}
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "store.note/%d", i); /* the last is not there */
		look_at_stream(kit, name, 1, picture);
	}
	for (int i = 0; i < COMMANDS; i++)
		look_at_command(kit, name, (size_t)snprintf(name, sizeof(name), "c%d", i * 10), picture);
	for (uint8_t i = 0; i < COMMANDS; i += 8) {
		const char bare[] = { 'b', (char)i };

		look_at_command(kit, bare, sizeof(bare), picture);
	}
	look_at_records(kit, picture);
	result =
		store_list_streams(kit->reader, SLICE_NONE, SLICE_NONE, 1000, &kit->arena, &names, &count, &kit->fault);
	for (size_t i = 0; result == 0 && i < count; i++)
		hash = slice_hash(names[i], hash);
	add(picture, "the list of streams", result, hash);
	arena_clear(&kit->arena);
}

const char *
picture_differs(const struct picture *before, const struct picture *after, bool *faults)
{
	*faults = false;
	for (size_t i = 0; i < before->count; i++) {
		*faults = *faults || after->reads[i] == 0;
		if (after->reads[i] != 0 && after->reads[i] != before->reads[i])
			return before->what[i];
	}
	return NULL;
}

static void
note(void *self, const struct verify_finding *finding)
{
	struct findings *findings = self;

	if (getenv("SHOW_FINDINGS") != NULL)
		fprintf(stderr, "finding %d %llu..%llu %.*s: %s\n", (int)finding->kind,
			(unsigned long long)finding->first, (unsigned long long)finding->last,
			SLICE_ARG(finding->stream), finding->text);
	findings->count++;
	findings->kinds |= 1u << finding->kind;
	if (finding->first == 0)
		return;
	findings->placed = true;
	findings->named = findings->named || finding->stream.size != 0 || finding->kind == VERIFY_UNREADABLE ||
			  finding->kind == VERIFY_POSITION || strstr(finding->text, "stream number ") != NULL;
}

void
findings_take(struct kit *kit, struct findings *findings)
{
	struct verify_report report = { .found = note, .self = findings };

	*findings = (struct findings){ 0 };
	store_reader_close(kit->reader);
	kit->reader = NULL;
	insist(store_reader_open(kit->store, &kit->reader, &kit->fault) == 0, kit, "reader");
	if (store_verify(kit->reader, &report, &kit->fault) == 0)
		return;
	insist(kit->fault.class == FAULT_CORRUPT, kit, "verify");
	*findings = (struct findings){ .count = 1, .placed = true, .named = true };
}
