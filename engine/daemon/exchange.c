/* SPDX-License-Identifier: MIT */
/*
 * Writing and reading the lines. The reader is driven by one table of fields a kind of line: a field that is not in it
 * is refused, since what is not understood cannot be kept. An entry's own digest is made again from what was read, so a
 * line whose check was made anew after a change is still found.
 */
#include "daemon/exchange.h"

#include <stddef.h>
#include <stdio.h>

#include "base/clock.h"

#define CHECK_TAIL (sizeof(",\"check\":\"\"}") - 1 + 2 * CHECK_SIZE)

static void
add_line(struct exchange *exchange, struct slice line)
{
	struct digest_state state;
	struct digest digest;

	digest_init(&state);
	digest_add(&state, exchange->check.bytes, CHECK_SIZE);
	digest_add_slice(&state, line);
	digest_end(&state, &digest);
	memcpy(exchange->check.bytes, digest.bytes, CHECK_SIZE);
	exchange->lines++;
}

void
exchange_foreign(struct exchange *exchange, struct slice line)
{
	add_line(exchange, line);
}

/* ---- writing ---- */

void
exchange_close(struct exchange *exchange, size_t start, struct buf *out)
{
	if (out->failed)
		return;
	add_line(exchange, slice_from(out->data + start, out->size - start));
	buf_text(out, ",\"check\":\"");
	buf_hex(out, exchange->check.bytes, CHECK_SIZE);
	buf_text(out, "\"}\n");
}

static void
put_text(struct buf *out, const char *name, struct slice text)
{
	if (text.size == 0)
		return;
	json_key(out, name);
	json_quote(out, text);
}

static void
put_number(struct buf *out, const char *name, uint64_t number)
{
	json_key(out, name);
	buf_u64(out, number);
}

static void
put_hex(struct buf *out, const char *name, const void *bytes, size_t size)
{
	json_key(out, name);
	buf_byte(out, '"');
	buf_hex(out, bytes, size);
	buf_byte(out, '"');
}

static const char *const kinds[] = {
	[ENTRY_MESSAGE] = "message", [ENTRY_DOCUMENT] = "document", [ENTRY_TIMER] = "timer"
};

static bool
is_text(const struct recorded_entry *entry)
{
	return json_utf8(entry->key) && json_utf8(entry->type) && json_utf8(entry->provenance.actor) &&
	       json_utf8(entry->provenance.correlation_id) && json_utf8(entry->provenance.causation_id) &&
	       json_utf8(entry->provenance.traceparent) && json_utf8(entry->data) &&
	       (entry->data.size == 0 || memchr(entry->data.data, '\n', entry->data.size) == NULL);
}

/* All but its last members. */
static int
put_entry(const struct recorded_entry *entry, struct buf *out, struct fault *fault)
{
	char time[CLOCK_TEXT_SIZE], id[ID_TEXT_SIZE];

	if (!is_text(entry))
		return fault_set(fault, FAULT_INPUT, "not_text", "position %llu holds bytes that are no text in JSON",
				 (unsigned long long)entry->position);
	clock_format(entry->recorded_at_us, time);
	id_format(&entry->id, id);
	buf_text(out, "{\"stream\":");
	json_quote(out, entry->stream);
	if (entry->version != 0)
		put_number(out, "version", entry->version);
	if (entry->kind != ENTRY_EVENT)
		put_text(out, "kind", slice_text(kinds[entry->kind]));
	put_text(out, "type", entry->type);
	put_number(out, "schema_version", entry->schema_version);
	put_number(out, "generation", entry->generation);
	put_number(out, "position", entry->position);
	put_number(out, "commit_first", entry->commit_first);
	put_number(out, "commit_size", entry->commit_size);
	put_text(out, "time", slice_text(time));
	put_text(out, "id", slice_text(id));
	put_text(out, "correlation_id", entry->provenance.correlation_id);
	put_text(out, "causation_id", entry->provenance.causation_id);
	put_text(out, "traceparent", entry->provenance.traceparent);
	put_text(out, "actor", entry->provenance.actor);
	put_text(out, "topic", entry->topic);
	put_text(out, "key", entry->key);
	if (entry->headers.size != 0) {
		json_key(out, "headers");
		buf_add(out, entry->headers);
	}
	if (entry->data.size != 0) {
		json_key(out, "data");
		buf_add(out, entry->data);
	}
	return 0;
}

int
exchange_entry(struct exchange *exchange, const struct recorded_entry *entry, struct buf *out, struct fault *fault)
{
	size_t start = out->size;

	if (put_entry(entry, out, fault) != 0)
		return -1;
	put_hex(out, "digest", entry->digest.bytes, CHECK_SIZE);
	put_hex(out, "link", entry->link.bytes, CHECK_SIZE);
	exchange_close(exchange, start, out);
	return 0;
}

int
exchange_piece(struct exchange *exchange, const struct recorded_entry *entry, size_t piece, size_t pieces,
	       struct buf *out, struct fault *fault)
{
	size_t start = out->size;

	if (put_entry(entry, out, fault) != 0)
		return -1;
	if (pieces != 1) {
		put_number(out, "piece", piece);
		put_number(out, "pieces", pieces);
	}
	exchange_close(exchange, start, out);
	return 0;
}

/* ---- reading ---- */

enum field_kind {
	FIELD_TEXT,  /* struct slice */
	FIELD_BYTES, /* struct slice: any bytes, as hexadecimal digits */
	FIELD_RAW,   /* struct slice: JSON as it stands */
	FIELD_LIST,  /* struct json_value: an array */
	FIELD_U64,
	FIELD_U32,
	FIELD_FLAG,
	FIELD_TIME,
	FIELD_ID,
	FIELD_CHECK,
	FIELD_DIGEST,
	FIELD_ENTRY /* enum entry_kind */
};

struct field {
	const char *name;
	enum field_kind kind;
	bool needed;
	size_t at;
};

#define AT(member)    offsetof(struct exchange_line, member)
#define ENTRY(member) offsetof(struct exchange_line, entry.member)

static const struct field head_fields[] = {
	{ "moonlog_export", FIELD_U64, true, AT(number) },   { "id", FIELD_ID, true, ENTRY(id) },
	{ "time", FIELD_TIME, true, ENTRY(recorded_at_us) }, { "after", FIELD_U64, true, ENTRY(position) },
	{ "link", FIELD_CHECK, true, ENTRY(link) },          { "of", FIELD_TEXT, false, AT(text) },
	{ "upcast", FIELD_FLAG, false, AT(upcast) },
};
static const struct field source_fields[] = {
	{ "source", FIELD_DIGEST, true, AT(hash) },
	{ "text", FIELD_TEXT, false, AT(text) },
	{ "bytes", FIELD_BYTES, false, AT(text) },
};
static const struct field generation_fields[] = {
	{ "generation", FIELD_U64, true, AT(number) },
	{ "domain", FIELD_TEXT, true, AT(domain) },
	{ "hash", FIELD_DIGEST, true, AT(hash) },
	{ "sources", FIELD_LIST, true, AT(sources) },
};
static const struct field entry_fields[] = {
	{ "stream", FIELD_TEXT, true, ENTRY(stream) },
	{ "version", FIELD_U64, false, ENTRY(version) },
	{ "kind", FIELD_ENTRY, false, ENTRY(kind) },
	{ "type", FIELD_TEXT, true, ENTRY(type) },
	{ "schema_version", FIELD_U32, true, ENTRY(schema_version) },
	{ "generation", FIELD_U32, true, ENTRY(generation) },
	{ "position", FIELD_U64, true, ENTRY(position) },
	{ "commit_first", FIELD_U64, true, ENTRY(commit_first) },
	{ "commit_size", FIELD_U32, true, ENTRY(commit_size) },
	{ "time", FIELD_TIME, true, ENTRY(recorded_at_us) },
	{ "id", FIELD_ID, true, ENTRY(id) },
	{ "correlation_id", FIELD_TEXT, false, ENTRY(provenance.correlation_id) },
	{ "causation_id", FIELD_TEXT, false, ENTRY(provenance.causation_id) },
	{ "traceparent", FIELD_TEXT, false, ENTRY(provenance.traceparent) },
	{ "actor", FIELD_TEXT, false, ENTRY(provenance.actor) },
	{ "topic", FIELD_TEXT, false, ENTRY(topic) },
	{ "key", FIELD_TEXT, false, ENTRY(key) },
	{ "headers", FIELD_RAW, false, ENTRY(headers) },
	{ "data", FIELD_RAW, false, ENTRY(data) },
	{ "digest", FIELD_CHECK, true, ENTRY(digest) },
	{ "link", FIELD_CHECK, true, ENTRY(link) },
};
static const struct field unique_fields[] = {
	{ "unique", FIELD_TEXT, true, AT(text) },
	{ "key", FIELD_TEXT, true, AT(key) },
	{ "stream", FIELD_TEXT, true, AT(stream) },
};
static const struct field end_fields[] = {
	{ "end", FIELD_FLAG, true, AT(upcast) },
	{ "entries", FIELD_U64, true, AT(number) },
};

/* A line is of the kind whose first field it begins with. */
static const struct {
	const struct field *fields;
	size_t count;
} forms[] = {
	[EXCHANGE_HEAD] = { head_fields, countof(head_fields) },
	[EXCHANGE_SOURCE] = { source_fields, countof(source_fields) },
	[EXCHANGE_GENERATION] = { generation_fields, countof(generation_fields) },
	[EXCHANGE_ENTRY] = { entry_fields, countof(entry_fields) },
	[EXCHANGE_UNIQUE] = { unique_fields, countof(unique_fields) },
	[EXCHANGE_END] = { end_fields, countof(end_fields) },
};

static int
bad(struct fault *fault, const char *format, const char *name)
{
	return fault_set(fault, FAULT_INPUT, "bad_export", format, name);
}

static int
decode_text(struct json_value value, struct arena *arena, struct slice *text, struct fault *fault)
{
	struct buf buf;

	if (value.raw.size >= 2 && memchr(value.raw.data, '\\', value.raw.size) == NULL) {
		*text = slice_from(value.raw.data + 1, value.raw.size - 2);
		return 0;
	}
	buf_init(&buf, EXCHANGE_LINE_MAX);
	json_decode(value, &buf);
	*text = buf.failed ? SLICE_NONE : arena_copy(arena, buf_slice(&buf));
	buf_fini(&buf);
	return text->data != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory for a line");
}

static int
nibble(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool
take_hex(struct slice text, void *bytes, size_t size)
{
	uint8_t *to = bytes;

	if (text.size != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = nibble(text.data[2 * i]), low = nibble(text.data[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		to[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}

static bool
take_bytes(struct slice text, struct arena *arena, struct slice *bytes)
{
	char *to = arena_alloc(arena, text.size / 2 + 1);

	*bytes = slice_from(to, text.size / 2);
	return to != NULL && text.size % 2 == 0 && take_hex(text, to, text.size / 2);
}

static bool
take_time(struct slice text, int64_t *time)
{
	char copy[CLOCK_TEXT_SIZE + 8];

	if (text.size >= sizeof(copy))
		return false;
	snprintf(copy, sizeof(copy), "%.*s", SLICE_ARG(text));
	return clock_parse(copy, time) == 0;
}

static bool
take_kind(struct slice text, enum entry_kind *kind)
{
	for (size_t i = ENTRY_MESSAGE; i < countof(kinds); i++) {
		if (!slice_equal(text, slice_text(kinds[i])))
			continue;
		*kind = (enum entry_kind)i;
		return true;
	}
	return false;
}

static bool
take_u32(struct json_value value, uint32_t *number)
{
	uint64_t wide;

	if (!json_to_u64(value, &wide) || wide > UINT32_MAX)
		return false;
	*number = (uint32_t)wide;
	return true;
}

/* A value that is written as a text. */
static bool
take_as_text(const struct field *field, struct slice text, struct arena *arena, void *to)
{
	switch (field->kind) {
	case FIELD_TEXT:
		*(struct slice *)to = text;
		return true;
	case FIELD_BYTES:
		return take_bytes(text, arena, to);
	case FIELD_TIME:
		return take_time(text, to);
	case FIELD_ID:
		return id_parse(text, to) == 0;
	case FIELD_CHECK:
		return take_hex(text, to, CHECK_SIZE);
	case FIELD_DIGEST:
		return take_hex(text, to, DIGEST_SIZE);
	case FIELD_ENTRY:
		return take_kind(text, to);
	default:
		return false;
	}
}

static bool
take_other(const struct field *field, struct json_value value, void *to)
{
	switch (field->kind) {
	case FIELD_RAW:
		*(struct slice *)to = value.raw;
		return true;
	case FIELD_LIST:
		*(struct json_value *)to = value;
		return value.kind == JSON_ARRAY;
	case FIELD_U64:
		return value.kind == JSON_NUMBER && json_to_u64(value, to);
	case FIELD_U32:
		return value.kind == JSON_NUMBER && take_u32(value, to);
	case FIELD_FLAG:
		*(bool *)to = true;
		return value.kind == JSON_TRUE;
	default:
		return false;
	}
}

static int
take_field(const struct field *field, struct json_value value, struct arena *arena, struct exchange_line *read,
	   struct fault *fault)
{
	void *to = (char *)read + field->at;
	struct slice text;
	bool taken;

	if (value.kind == JSON_STRING && field->kind != FIELD_RAW) {
		if (decode_text(value, arena, &text, fault) != 0)
			return -1;
		taken = take_as_text(field, text, arena, to);
	} else {
		taken = take_other(field, value, to);
	}
	return taken ? 0 : bad(fault, "field \"%s\" is not as it must be", field->name);
}

static int
find_form(struct json_value line, enum exchange_kind *kind, struct fault *fault)
{
	struct json_value value;
	struct json_iter iter;
	struct slice key;

	json_iter(&iter, line);
	if (line.kind == JSON_OBJECT && json_next(&iter, &key, &value)) {
		for (size_t i = 0; i < countof(forms); i++) {
			if (!slice_equal(key, slice_text(forms[i].fields[0].name)))
				continue;
			*kind = (enum exchange_kind)i;
			return 0;
		}
	}
	return bad(fault, "%s", "this is no line of an export");
}

static int
take_fields(struct json_value line, struct arena *arena, struct exchange_line *read, struct fault *fault)
{
	const struct field *fields = forms[read->kind].fields;
	size_t count = forms[read->kind].count;
	struct json_value value;
	struct json_iter iter;
	struct slice key;
	uint32_t seen = 0;

	json_iter(&iter, line);
	while (json_next(&iter, &key, &value)) {
		size_t i = 0;
		while (i < count && !slice_equal(key, slice_text(fields[i].name)))
			i++;
		if (i == count)
			return fault_set(fault, FAULT_INPUT, "bad_export", "unknown field \"%.*s\"", SLICE_ARG(key));
		if ((seen & (1U << i)) != 0)
			return bad(fault, "field \"%s\" stands twice", fields[i].name);
		seen |= 1U << i;
		if (take_field(&fields[i], value, arena, read, fault) != 0)
			return -1;
	}
	for (size_t i = 0; i < count; i++)
		if (fields[i].needed && (seen & (1U << i)) == 0)
			return bad(fault, "field \"%s\" is missing", fields[i].name);
	return 0;
}

static int
check_entry(const struct recorded_entry *entry, struct fault *fault)
{
	struct stream_name name;
	struct check digest;

	if (stream_parse(entry->stream, &name, fault) != 0)
		return -1;
	if ((entry->kind == ENTRY_EVENT) != (entry->version != 0))
		return bad(fault, "%s", "an event has a version, and nothing else has");
	if (entry->position == 0 || entry->commit_first == 0 || entry->commit_first > entry->position ||
	    entry->position - entry->commit_first >= entry->commit_size || entry->commit_size > APPEND_ENTRY_MAX)
		return bad(fault, "%s", "position, commit_first and commit_size do not fit together");
	entry_digest_recorded(entry, &digest);
	if (!check_equal(&digest, &entry->digest))
		return bad(fault, "%s", "the content does not give its digest");
	return 0;
}

int
exchange_read(struct exchange *exchange, struct slice line, struct arena *arena, struct exchange_line *read,
	      struct fault *fault)
{
	struct check check;
	struct json_value value;
	size_t size = line.size > CHECK_TAIL ? line.size - CHECK_TAIL : 0;
	struct slice tail = slice_from(line.data + size, line.size - size);

	*read = (struct exchange_line){ .entry.kind = ENTRY_EVENT };
	if (size == 0 || !slice_starts_with(tail, SLICE(",\"check\":\"")) ||
	    !take_hex(slice_from(tail.data + 10, (size_t)2 * CHECK_SIZE), check.bytes, CHECK_SIZE))
		return bad(fault, "%s", "the line does not end with its check: it was cut, or is no line of an export");
	add_line(exchange, slice_from(line.data, size));
	if (!check_equal(&check, &exchange->check))
		return bad(fault, "%s", "wrong check: this line was changed, or lines before it are missing");
	if (json_check(line, &value, fault) != 0 || find_form(value, &read->kind, fault) != 0)
		return -1;
	/* Without its check the line is an object that lacks its last bracket: the walk ends with the bytes. */
	value.raw = slice_from(line.data, size + 1);
	if (take_fields(value, arena, read, fault) != 0)
		return -1;
	if (read->kind == EXCHANGE_ENTRY)
		return check_entry(&read->entry, fault);
	return 0;
}
