/* SPDX-License-Identifier: MIT */
/*
 * Out: one block of the arena a message holds all text that is made; the rest is borrowed from the entry. The type of a
 * published event is made of the stream's "domain.aggregate", its name and its schema version; a message keeps the name
 * that its author gave it. The author's own headers follow ours, text as it is and anything else as JSON; one that has
 * the name of one of ours is left out.
 *
 * An entry without provenance has its commit's first id as correlation id. Only the first entry knows that by itself:
 * whoever reads whole commits fills it in for the others (cloudevent_correlate).
 */
#include "core/cloudevent.h"

#include "base/clock.h"
#include "base/json.h"

#define SEQUENCE_MAX 25
#define NUMBER_MAX   20

/* Text under construction, in one block that is known to be large enough. */
struct pen {
	char *at;
};

struct headers {
	struct message_header *items;
	size_t count;
	size_t ours;
};

static struct slice
pen_slice(struct pen *pen, struct slice text)
{
	char *begin = pen->at;

	if (text.size != 0)
		memcpy(begin, text.data, text.size);
	pen->at += text.size;
	return slice_from(begin, text.size);
}

/* In `width` digits with leading zeros; 0: as many as it needs. */
static struct slice
pen_number(struct pen *pen, uint64_t number, unsigned width)
{
	char digits[NUMBER_MAX], *first = digits + NUMBER_MAX;

	do {
		*--first = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	while (digits + NUMBER_MAX - first < (int)width)
		*--first = '0';
	return pen_slice(pen, slice_from(first, (size_t)(digits + NUMBER_MAX - first)));
}

static struct slice
pen_since(const struct pen *pen, const char *begin)
{
	return slice_from(begin, (size_t)(pen->at - begin));
}

static struct slice
stream_kind(struct slice stream)
{
	const char *slash = stream.size != 0 ? memchr(stream.data, '/', stream.size) : NULL;

	return slash != NULL ? slice_from(stream.data, (size_t)(slash - stream.data)) : stream;
}

static struct slice
stream_id(struct slice stream)
{
	size_t kind = stream_kind(stream).size;

	return kind < stream.size ? slice_from(stream.data + kind + 1, stream.size - kind - 1) : stream;
}

static size_t
type_room(const struct recorded_entry *entry)
{
	return stream_kind(entry->stream).size + entry->type.size + NUMBER_MAX + 3;
}

static struct slice
pen_type(struct pen *pen, const struct recorded_entry *entry)
{
	char *begin = pen->at;

	if (entry->kind != ENTRY_EVENT)
		return entry->type;
	pen_slice(pen, stream_kind(entry->stream));
	pen_slice(pen, SLICE("."));
	pen_slice(pen, entry->type);
	pen_slice(pen, SLICE(".v"));
	pen_number(pen, entry->schema_version, 0);
	return pen_since(pen, begin);
}

static struct slice
pen_id(struct pen *pen, const struct id *id)
{
	char text[ID_TEXT_SIZE];

	id_format(id, text);
	return pen_slice(pen, slice_from(text, ID_TEXT_SIZE - 1));
}

static struct slice
pen_time(struct pen *pen, int64_t wall_us)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(wall_us, text);
	return pen_slice(pen, slice_from(text, CLOCK_TEXT_SIZE - 1));
}

static struct slice
pen_sequence(struct pen *pen, const struct recorded_entry *entry)
{
	char *begin = pen->at;

	pen_number(pen, entry->position, 20);
	pen_slice(pen, SLICE("-"));
	pen_number(pen, entry->position - entry->commit_first, 4);
	return pen_since(pen, begin);
}

static void
add(struct headers *headers, struct slice name, struct slice value)
{
	headers->items[headers->count++] = (struct message_header){ name, value };
}

static void
add_some(struct headers *headers, struct slice name, struct slice value)
{
	if (value.size != 0)
		add(headers, name, value);
}

static void
add_ours(struct headers *headers, const struct recorded_entry *entry, struct slice source, struct pen *pen)
{
	struct slice id = pen_id(pen, &entry->id), correlation = entry->provenance.correlation_id;

	if (correlation.size == 0 && entry->position == entry->commit_first)
		correlation = id;
	add(headers, SLICE("ce_specversion"), SLICE("1.0"));
	add(headers, SLICE("ce_id"), id);
	add(headers, SLICE("ce_source"), source);
	add(headers, SLICE("ce_type"), pen_type(pen, entry));
	add(headers, SLICE("ce_time"), pen_time(pen, entry->recorded_at_us));
	add(headers, SLICE("ce_subject"), stream_id(entry->stream));
	add(headers, SLICE("ce_sequence"), pen_sequence(pen, entry));
	if (entry->version != 0)
		add(headers, SLICE("ce_streamversion"), pen_number(pen, entry->version, 0));
	add_some(headers, SLICE("ce_partitionkey"), entry->key);
	add_some(headers, SLICE("ce_correlationid"), correlation);
	add_some(headers, SLICE("ce_causationid"), entry->provenance.causation_id);
	add_some(headers, SLICE("ce_traceparent"), entry->provenance.traceparent);
	add_some(headers, SLICE("traceparent"), entry->provenance.traceparent);
	if (entry->data.size != 0)
		add(headers, SLICE("content-type"), SLICE("application/json"));
	headers->ours = headers->count;
}

static bool
is_ours(const struct headers *headers, struct slice name)
{
	for (size_t i = 0; i < headers->ours; i++)
		if (slice_equal(headers->items[i].name, name))
			return true;
	return false;
}

/* Undecoded bytes that hold no escape are the text itself. */
static int
decode(struct slice raw, struct arena *arena, struct slice *text, struct fault *fault)
{
	struct json_value string = { JSON_STRING, slice_from(raw.data - 1, raw.size + 2) };
	struct buf decoded;

	if (raw.size == 0 || memchr(raw.data, '\\', raw.size) == NULL) {
		*text = raw;
		return 0;
	}
	buf_init(&decoded, raw.size + 1);
	json_decode(string, &decoded);
	*text = decoded.failed ? SLICE_NONE : arena_copy(arena, buf_slice(&decoded));
	buf_fini(&decoded);
	return text->data != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory for a header");
}

/* The author's own, a JSON object that was checked when it was recorded. */
static int
add_theirs(struct headers *headers, struct slice object, struct arena *arena, struct fault *fault)
{
	struct json_value value = { JSON_OBJECT, object }, item;
	struct json_iter iter;
	struct slice key;

	json_iter(&iter, value);
	while (json_next(&iter, &key, &item)) {
		struct slice name, text = item.raw;

		if (decode(key, arena, &name, fault) != 0)
			return -1;
		if (item.kind == JSON_STRING &&
		    decode(slice_from(item.raw.data + 1, item.raw.size - 2), arena, &text, fault) != 0)
			return -1;
		if (item.kind == JSON_NULL || is_ours(headers, name))
			continue;
		if (headers->count == CLOUDEVENT_HEADERS_MAX)
			return fault_set(fault, FAULT_LIMIT, "too_many_headers", "more than %d headers",
					 CLOUDEVENT_HEADERS_MAX);
		add(headers, name, text);
	}
	return 0;
}

/* Enough for every header that add_theirs can come to. */
static size_t
headers_room(const struct recorded_entry *entry)
{
	size_t theirs = 0;

	for (size_t i = 0; i < entry->headers.size; i++)
		theirs += entry->headers.data[i] == ':';
	return (theirs > MESSAGE_HEADERS_COUNT ? MESSAGE_HEADERS_COUNT : theirs) + CLOUDEVENT_OURS_MAX;
}

int
cloudevent_encode(const struct recorded_entry *entry, struct slice source, struct arena *arena, struct message *message,
		  struct fault *fault)
{
	size_t text = ID_TEXT_SIZE + CLOCK_TEXT_SIZE + SEQUENCE_MAX + NUMBER_MAX + type_room(entry);
	struct headers headers = { .items = arena_alloc(arena, headers_room(entry) * sizeof(*headers.items)) };
	struct pen pen = { arena_alloc(arena, text) };

	if (headers.items == NULL || pen.at == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the headers of entry %llu",
				 (unsigned long long)entry->position);
	add_ours(&headers, entry, source, &pen);
	if (entry->headers.size != 0 && add_theirs(&headers, entry->headers, arena, fault) != 0)
		return fault_prefix(fault, "%.*s of %.*s at position %llu", SLICE_ARG(entry->type),
				    SLICE_ARG(entry->stream), (unsigned long long)entry->position);
	*message = (struct message){ .topic = entry->topic,
				     .key = entry->key.size != 0 ? entry->key : stream_id(entry->stream),
				     .value = entry->data,
				     .tombstone = entry->data.size == 0,
				     .headers = headers.items,
				     .header_count = headers.count };
	return 0;
}

int
cloudevent_correlate(struct recorded_entry *entries, size_t count, struct arena *arena, struct fault *fault)
{
	struct slice id = SLICE_NONE;

	for (size_t i = 0; i < count; i++) {
		struct recorded_entry *entry = &entries[i];

		if (entry->position == entry->commit_first)
			id = SLICE_NONE;
		if (entry->position == entry->commit_first && entry->commit_size > 1) {
			char text[ID_TEXT_SIZE];

			id_format(&entry->id, text);
			id = arena_copy(arena, slice_from(text, ID_TEXT_SIZE - 1));
			if (id.data == NULL)
				return fault_set(fault, FAULT_MEMORY, "memory", "no memory for an id");
		}
		if (entry->provenance.correlation_id.size == 0)
			entry->provenance.correlation_id = id;
	}
	return 0;
}

void
cloudevent_of_entry(const struct recorded_entry *entry, struct arena *arena, struct react_message *decoded)
{
	struct pen pen = { arena_alloc(arena, ID_TEXT_SIZE + type_room(entry)) };

	*decoded = (struct react_message){ .type = SLICE_NONE };
	if (pen.at == NULL)
		return;
	*decoded = (struct react_message){ .id = pen_id(&pen, &entry->id),
					   .subject = stream_id(entry->stream),
					   .topic = entry->topic,
					   .key = entry->key.size != 0 ? entry->key : stream_id(entry->stream),
					   .data = entry->data.size != 0 ? entry->data : SLICE("null"),
					   .time_us = entry->recorded_at_us,
					   .correlation_id = entry->provenance.correlation_id,
					   .traceparent = entry->provenance.traceparent,
					   .stream_version = entry->version };
	decoded->type = pen_type(&pen, entry);
	if (decoded->correlation_id.size == 0 && entry->position == entry->commit_first)
		decoded->correlation_id = decoded->id;
}
