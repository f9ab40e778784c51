/* SPDX-License-Identifier: MIT */
/*
 * The record of an import: space "import", key = hash of the file's first line, value = line, entries and check so far.
 * Each append writes it with "equals what the append before wrote", so an append that is refused stops all behind it
 * in the group, and two imports of one file cannot mix. It is a few bytes in a commit that is made anyway.
 *
 * Links are made here as the committer will make them, so that it is known before the commit whether an entry keeps its
 * id; the last link of every group is compared with what the store says.
 */
#include "daemon/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define ARENA_MAX     ((size_t)256 << 20)
#define GROUP_ENTRIES 4000
#define GROUP_BYTES   ((size_t)8 << 20)
#define SPACE         SLICE("import")

static int bad(struct fault *fault, uint64_t line, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int
bad(struct fault *fault, uint64_t line, const char *format, ...)
{
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return fault_set(fault, FAULT_INPUT, "bad_import", "line %llu: %s", (unsigned long long)line, text);
}

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a group of entries");
}

/* ---- where the file is ---- */

static struct slice
write_place(struct arena *arena, const struct import_place *place)
{
	char hex[2 * CHECK_SIZE + 1];

	for (size_t i = 0; i < CHECK_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", place->check.bytes[i]);
	return arena_format(arena, "{\"line\":%llu,\"entries\":%llu,\"check\":\"%s\",\"done\":%s}",
			    (unsigned long long)place->line, (unsigned long long)place->entries, hex,
			    place->done ? "true" : "false");
}

static bool
read_place(struct slice value, struct import_place *place)
{
	struct json_value object, line, entries, check, done;

	if (json_check(value, &object, NULL) != 0 || !json_member(object, SLICE("line"), &line) ||
	    !json_member(object, SLICE("entries"), &entries) || !json_member(object, SLICE("check"), &check) ||
	    !json_member(object, SLICE("done"), &done))
		return false;
	place->done = done.kind == JSON_TRUE;
	if (check.raw.size != (size_t)2 * CHECK_SIZE + 2)
		return false;
	for (size_t i = 0; i < CHECK_SIZE; i++) {
		char pair[3] = { check.raw.data[1 + 2 * i], check.raw.data[2 + 2 * i], '\0' };
		place->check.bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return json_to_u64(line, &place->line) && json_to_u64(entries, &place->entries);
}

static int
find_place(struct import *import, struct fault *fault)
{
	struct slice value;
	bool found;

	if (store_read_record(import->reader, SPACE, slice_text(import->key), &import->arena, &value, &found, fault) !=
	    0)
		return -1;
	if (found && !read_place(value, &import->place))
		return fault_set(fault, FAULT_CORRUPT, "bad_import_record",
				 "the record of the import %s cannot be read", import->key);
	import->next = import->place;
	return 0;
}

static int
find_end(struct import *import, struct fault *fault)
{
	struct entries page;
	log_position seen;

	import->head = store_head(import->store);
	if (import->head == 0)
		return 0;
	if (store_read_log(import->reader, import->head - 1, NULL, (struct read_limit){ 1, 0 }, &import->arena, &page,
			   &seen, fault) != 0)
		return -1;
	must(page.count == 1);
	import->link = page.items[0].link;
	import->last_us = page.items[0].recorded_at_us;
	return 0;
}

int
import_open(struct import *import, struct store *store, struct slice identity, struct fault *fault)
{
	struct digest digest;

	*import = (struct import){ .store = store, .now_us = clock_wall_us(clock_real()) };
	arena_init(&import->arena, ARENA_MAX);
	digest_of(identity, &digest);
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		snprintf(import->key + 2 * i, 3, "%02x", digest.bytes[i]);
	if (store == NULL)
		return 0;
	import->open = calloc(APPEND_ENTRY_MAX, sizeof(*import->open));
	if (import->open == NULL)
		return no_memory(fault);
	if (store_reader_open(store, &import->reader, fault) != 0 || find_place(import, fault) != 0 ||
	    find_end(import, fault) != 0)
		return -1;
	arena_clear(&import->arena);
	return 0;
}

void
import_close(struct import *import)
{
	store_reader_close(import->reader);
	arena_fini(&import->arena);
	free(import->open);
	free(import->generations);
	*import = (struct import){ .store = NULL };
}

/* ---- committing ---- */

/* The first append that was not done says why; those behind it only fell with it. */
static int
complain(struct import *import, struct fault *fault)
{
	for (size_t i = 0; i < import->count; i++) {
		const struct append *append = import->appends[i];
		uint64_t line = import->lines[i];

		switch (append->answer) {
		case APPEND_DONE:
			continue;
		case APPEND_CONFLICT: {
			const struct append_stream *stream = &append->streams[append->conflict_stream];
			return bad(fault, line, "version %llu of %.*s: the stream is at version %llu here",
				   (unsigned long long)stream->expected.version + 1, SLICE_ARG(stream->name),
				   (unsigned long long)append->actual);
		}
		case APPEND_RECORD_CONFLICT:
			if (append->conflict_record == 0)
				return bad(fault, line, "another import of this file came between");
			return bad(fault, line, "the unique key \"%.*s\" is held by another stream here",
				   SLICE_ARG(append->records[append->conflict_record].key));
		default:
			*fault = append->fault;
			return fault_prefix(fault, "line %llu", (unsigned long long)line);
		}
	}
	return 0;
}

static int
commit(struct import *import, struct fault *fault)
{
	const struct append *last = import->appends[import->count - 1];
	size_t count = import->count;
	int result = store_commit(import->store, import->appends, count, fault) == COMMIT_DONE ? complain(import, fault)
											       : -1;

	import->count = import->entries = 0;
	if (result != 0)
		return -1;
	if (last->last != 0 &&
	    (last->last != import->head || (!import->unsure && !check_equal(&last->last_link, &import->link))))
		return fault_set(fault, FAULT_BUG, "import_link", "the store made another link than was expected");
	import->place = import->places[count - 1];
	arena_clear(&import->arena);
	store_idle(import->store);
	return 0;
}

/* An append with the record of the place after it, which is always its first. */
static int
add_append(struct import *import, struct append append, const struct record_write *more, size_t more_count,
	   const struct import_place *place, uint64_t line)
{
	struct append *made = arena_alloc(&import->arena, sizeof(*made));
	struct record_write *records = arena_alloc(&import->arena, (1 + more_count) * sizeof(*records));
	struct slice before = write_place(&import->arena, &import->next), after = write_place(&import->arena, place);

	if (made == NULL || records == NULL || before.data == NULL || after.data == NULL)
		return -1;
	records[0] = (struct record_write){ .rule = import->next.line != 0 ? RECORD_EQUALS : RECORD_ABSENT,
					    .space = SPACE,
					    .key = slice_text(import->key),
					    .value = after,
					    .before = import->next.line != 0 ? before : SLICE_NONE };
	if (more_count != 0)
		memcpy(records + 1, more, more_count * sizeof(*records));
	append.records = records;
	append.record_count = 1 + more_count;
	append.arena = &import->arena;
	*made = append;
	import->lines[import->count] = line;
	import->places[import->count] = *place;
	import->appends[import->count++] = made;
	import->entries += append.entry_count;
	import->next = *place;
	return 0;
}

static int
commit_if_full(struct import *import, struct fault *fault)
{
	if (import->count < IMPORT_GROUP && import->entries < GROUP_ENTRIES && import->arena.used_bytes < GROUP_BYTES)
		return 0;
	return commit(import, fault);
}

/* ---- a commit of the file ---- */

static uint32_t
generation_of(const struct import *import, uint32_t from)
{
	for (size_t i = import->generation_count; i-- > 0;)
		if (import->generations[i].from == from)
			return import->generations[i].to;
	return 0;
}

/* Would these entries, as they are, get the links here that they had there? */
static bool
continues(const struct import *import, uint32_t generation)
{
	struct check link = import->link;

	for (size_t i = 0; i < import->open_count; i++) {
		const struct recorded_entry *entry = &import->open[i];
		log_position first = import->head + 1;

		if (entry->position != first + i || entry->commit_first != first ||
		    entry->commit_size != import->open_count || entry->generation != generation ||
		    entry->recorded_at_us < import->last_us)
			return false;
		entry_link(&link, &entry->digest, entry->position, entry->version, first, entry->commit_size,
			   entry->recorded_at_us, &link);
		if (!check_equal(&link, &entry->link))
			return false;
	}
	return true;
}

/* One more member of an object whose keys are in order; what it has already stays. */
static struct slice
with_member(struct arena *arena, struct slice object, const char *key, const char *value)
{
	struct json_value headers = { JSON_OBJECT, object.size != 0 ? object : SLICE("{}") }, item;
	struct slice name, made;
	struct json_iter iter;
	struct buf buf;
	bool put = false;

	buf_init(&buf, (size_t)1 << 20);
	buf_byte(&buf, '{');
	json_iter(&iter, headers);
	while (json_next(&iter, &name, &item)) {
		if (!put && slice_compare(name, slice_text(key)) >= 0) {
			put = true;
			if (!slice_equal(name, slice_text(key))) {
				json_key(&buf, key);
				json_quote(&buf, slice_text(value));
			}
		}
		json_comma(&buf);
		buf_format(&buf, "\"%.*s\":", SLICE_ARG(name));
		buf_add(&buf, item.raw);
	}
	if (!put) {
		json_key(&buf, key);
		json_quote(&buf, slice_text(value));
	}
	buf_byte(&buf, '}');
	made = buf.failed ? SLICE_NONE : arena_copy(arena, buf_slice(&buf));
	buf_fini(&buf);
	return made;
}

/* What it was, for an entry that gets another id or time here. */
static bool
keep_origin(struct import *import, struct recorded_entry *entry)
{
	char text[ID_TEXT_SIZE + CLOCK_TEXT_SIZE];

	if (!id_is_none(&entry->id)) {
		id_format(&entry->id, text);
		entry->headers = with_member(&import->arena, entry->headers, "imported_id", text);
		if (entry->headers.data == NULL)
			return false;
	}
	if (entry->recorded_at_us < import->last_us) {
		clock_format(entry->recorded_at_us, text);
		entry->headers = with_member(&import->arena, entry->headers, "imported_time", text);
	}
	return entry->headers.size == 0 || entry->headers.data != NULL;
}

static int
find_stream(struct import *import, struct append_stream *streams, size_t *count, const struct recorded_entry *entry,
	    uint32_t *number, stream_version *next, struct fault *fault)
{
	size_t i = 0;

	while (i < *count && !slice_equal(streams[i].name, entry->stream))
		i++;
	*number = (uint32_t)i;
	if (i == *count) {
		streams[(*count)++] = (struct append_stream){ entry->stream, { EXPECTED_ANY, 0 } };
		next[i] = 0;
	}
	if (entry->version == 0)
		return 0;
	if (next[i] != 0 && entry->version != next[i])
		return bad(fault, import->open_line + (uint64_t)(entry - import->open),
			   "version %llu of %.*s stands where %llu must", (unsigned long long)entry->version,
			   SLICE_ARG(entry->stream), (unsigned long long)next[i]);
	if (next[i] == 0)
		streams[i].expected = (struct expected){ EXPECTED_EXACTLY, entry->version - 1 };
	next[i] = entry->version + 1;
	return 0;
}

/* Entries of the append, and its streams with the versions that are expected. */
static int
make_entries(struct import *import, struct append *append, struct fault *fault)
{
	struct new_entry *entries = arena_zero(&import->arena, import->open_count, sizeof(*entries));
	struct append_stream *streams = arena_zero(&import->arena, import->open_count, sizeof(*streams));
	stream_version *next = arena_zero(&import->arena, import->open_count, sizeof(*next));
	size_t count = 0;

	if (entries == NULL || streams == NULL || next == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < import->open_count; i++) {
		const struct recorded_entry *from = &import->open[i];
		entries[i] = (struct new_entry){ .kind = from->kind,
						 .schema_version = from->schema_version,
						 .type = from->type,
						 .data = from->data,
						 .topic = from->topic,
						 .key = from->key,
						 .headers = from->headers };
		if (find_stream(import, streams, &count, from, &entries[i].stream, next, fault) != 0)
			return -1;
		entry_digest(&entries[i], from->stream, append->generation, &append->provenance, &entries[i].digest);
	}
	append->streams = streams;
	append->stream_count = count;
	append->entries = entries;
	append->entry_count = import->open_count;
	return 0;
}

/* The log's end after this append, as the committer will find it. A legacy event's version is not known here. */
static void
advance(struct import *import, const struct append *append)
{
	log_position first = import->head + 1;
	uint32_t size = (uint32_t)append->entry_count;

	if (append->at_us > import->last_us)
		import->last_us = append->at_us;
	for (size_t i = 0; i < append->entry_count; i++) {
		import->unsure =
			import->unsure || (import->open[i].kind == ENTRY_EVENT && import->open[i].version == 0);
		entry_link(&import->link, &append->entries[i].digest, ++import->head, import->open[i].version, first,
			   size, import->last_us, &import->link);
	}
}

static int
close_commit(struct import *import, struct fault *fault)
{
	struct recorded_entry *first = &import->open[0];
	uint32_t generation;

	if (import->open_count == 0)
		return 0;
	generation = first->generation != 0 ? generation_of(import, first->generation) : 0;
	if (generation == 0 && first->generation != 0)
		return bad(fault, import->open_line, "the rules of generation %u did not come before",
			   first->generation);
	struct append append = { .provenance = first->provenance,
				 .generation = generation,
				 .at_us = first->recorded_at_us };
	bool same = continues(import, generation);
	for (size_t i = 0; i < import->open_count && !same; i++)
		if (!keep_origin(import, &import->open[i]))
			return no_memory(fault);
	if (make_entries(import, &append, fault) != 0)
		return -1;
	advance(import, &append);
	if (add_append(import, append, import->open_keys, import->open_key_count, &import->open_place,
		       import->open_line) != 0)
		return no_memory(fault);
	import->open_count = import->open_key_count = 0;
	return commit_if_full(import, fault);
}

static bool
copy_entry(struct arena *arena, struct recorded_entry *entry)
{
	struct slice *parts[] = { &entry->stream,
				  &entry->type,
				  &entry->data,
				  &entry->topic,
				  &entry->key,
				  &entry->headers,
				  &entry->provenance.correlation_id,
				  &entry->provenance.causation_id,
				  &entry->provenance.traceparent,
				  &entry->provenance.actor };

	for (size_t i = 0; i < countof(parts); i++)
		if (parts[i]->size != 0 && (*parts[i] = arena_copy(arena, *parts[i])).data == NULL)
			return false;
	return true;
}

static bool
belongs(const struct import *import, const struct recorded_entry *entry)
{
	const struct recorded_entry *first = &import->open[0];

	return import->open_count != 0 && import->open_count < APPEND_ENTRY_MAX && entry->commit_first != 0 &&
	       entry->commit_first == first->commit_first && entry->generation == first->generation &&
	       entry->recorded_at_us == first->recorded_at_us;
}

int
import_entry(struct import *import, const struct recorded_entry *entry, const struct import_place *place,
	     struct fault *fault)
{
	if (entry->recorded_at_us <= 0 || entry->recorded_at_us > import->now_us)
		return bad(fault, place->line, "the time lies %s",
			   entry->recorded_at_us <= 0 ? "before 1970"
						      : "in the future: the log's time would run ahead with it");
	if (import->store == NULL)
		return 0;
	if (!belongs(import, entry) && close_commit(import, fault) != 0)
		return -1;
	if (import->open_count == 0)
		import->open_line = place->line;
	import->open[import->open_count] = *entry;
	if (!copy_entry(&import->arena, &import->open[import->open_count]))
		return no_memory(fault);
	import->open_count++;
	import->open_place = *place;
	return 0;
}

/* ---- unique keys ---- */

/* Writes the key, or finds that its stream holds it already. */
static int
take_key(struct import *import, const struct exchange_line *line, uint64_t number, struct record_write *record,
	 struct fault *fault)
{
	struct slice held;
	bool found;

	*record = (struct record_write){ .rule = RECORD_ABSENT };
	record->space = arena_format(&import->arena, "unique/%.*s", SLICE_ARG(line->text));
	record->key = arena_copy(&import->arena, line->key);
	record->value = record->before = arena_copy(&import->arena, line->stream);
	if (record->space.data == NULL || record->key.data == NULL || record->value.data == NULL)
		return no_memory(fault);
	if (store_read_record(import->reader, record->space, record->key, &import->arena, &held, &found, fault) != 0)
		return fault_prefix(fault, "line %llu", (unsigned long long)number);
	if (found)
		record->rule = RECORD_EQUALS;
	return 0;
}

static int
check_key(const struct exchange_line *line, uint64_t number, struct fault *fault)
{
	struct stream_name name;

	if (stream_parse(line->stream, &name, fault) != 0)
		return fault_prefix(fault, "line %llu", (unsigned long long)number);
	if (line->text.size == 0 || line->text.size + 7 > STORE_SPACE_MAX || line->key.size == 0 ||
	    line->key.size > STORE_KEY_MAX)
		return bad(fault, number, "no unique key can be like this");
	return 0;
}

int
import_unique(struct import *import, const struct exchange_line *line, const struct import_place *place,
	      struct fault *fault)
{
	struct record_write record;

	if (check_key(line, place->line, fault) != 0)
		return -1;
	if (import->store == NULL)
		return 0;
	if (close_commit(import, fault) != 0 || take_key(import, line, place->line, &record, fault) != 0)
		return -1;
	if (add_append(import, (struct append){ 0 }, &record, 1, place, place->line) != 0)
		return no_memory(fault);
	return commit_if_full(import, fault);
}

int
import_reserve(struct import *import, const struct exchange_line *line, const struct import_place *place,
	       struct fault *fault)
{
	if (check_key(line, place->line, fault) != 0)
		return -1;
	if (import->store == NULL)
		return 0;
	if (import->open_count == 0 || import->open_key_count == IMPORT_KEYS)
		return bad(fault, place->line, "a commit takes at most %d unique keys", IMPORT_KEYS);
	return take_key(import, line, place->line, &import->open_keys[import->open_key_count++], fault);
}

void
import_forget(struct import *import)
{
	import->open_count = import->open_key_count = 0;
}

int
import_flush(struct import *import, const struct import_place *place, struct fault *fault)
{
	if (import->store == NULL)
		return 0;
	if (close_commit(import, fault) != 0)
		return -1;
	if (place->done && add_append(import, (struct append){ 0 }, NULL, 0, place, place->line) != 0)
		return no_memory(fault);
	return import->count != 0 ? commit(import, fault) : 0;
}
