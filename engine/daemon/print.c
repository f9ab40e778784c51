/* SPDX-License-Identifier: MIT */
/*
 * Text for people and JSON for programs. Everything goes through a buf and one fwrite; a closed standard output is found
 * at the end by main.
 */
#include "daemon/print.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

static void
text_member(struct buf *out, const char *key, struct slice text)
{
	json_key(out, key);
	json_quote(out, text);
}

static void
number_member(struct buf *out, const char *key, uint64_t number)
{
	json_key(out, key);
	buf_u64(out, number);
}

static void
optional_text(struct buf *out, const char *key, struct slice text)
{
	if (text.size != 0)
		text_member(out, key, text);
}

static void
kind_member(const struct recorded_entry *entry, struct buf *out)
{
	static const char *const kinds[] = { [ENTRY_MESSAGE] = "message", [ENTRY_DOCUMENT] = "document",
					     [ENTRY_TIMER] = "timer" };

	if (entry->kind != ENTRY_EVENT && (size_t)entry->kind < countof(kinds) && kinds[entry->kind] != NULL)
		text_member(out, "kind", slice_text(kinds[entry->kind]));
}

void
print_entry_json(const struct recorded_entry *entry, struct buf *out)
{
	char id[ID_TEXT_SIZE], time[CLOCK_TEXT_SIZE];

	id_format(&entry->id, id);
	clock_format(entry->recorded_at_us, time);
	buf_byte(out, '{');
	number_member(out, "position", entry->position);
	text_member(out, "stream", entry->stream);
	if (entry->version != 0)
		number_member(out, "version", entry->version);
	kind_member(entry, out);
	text_member(out, "id", slice_text(id));
	text_member(out, "type", entry->type);
	number_member(out, "schema_version", entry->schema_version);
	number_member(out, "generation", entry->generation);
	text_member(out, "time", slice_text(time));
	optional_text(out, "correlation_id", entry->provenance.correlation_id);
	optional_text(out, "causation_id", entry->provenance.causation_id);
	optional_text(out, "traceparent", entry->provenance.traceparent);
	optional_text(out, "actor", entry->provenance.actor);
	optional_text(out, "topic", entry->topic);
	optional_text(out, "key", entry->key);
	if (entry->headers.size != 0) {
		json_key(out, "headers");
		buf_add(out, entry->headers);
	}
	json_key(out, "data");
	buf_add(out, entry->data.size != 0 ? entry->data : SLICE("null"));
	buf_byte(out, '}');
}

void
print_entry_line(const struct recorded_entry *entry, bool with_stream, struct buf *out)
{
	char time[CLOCK_TEXT_SIZE];
	uint64_t number = with_stream ? entry->position : entry->version;

	clock_format(entry->recorded_at_us, time);
	buf_format(out, "%8llu  %s  ", (unsigned long long)number, time);
	if (with_stream)
		buf_format(out, "%.*s %llu  ", SLICE_ARG(entry->stream), (unsigned long long)entry->version);
	buf_format(out, "%.*s  ", SLICE_ARG(entry->type));
	buf_add(out, entry->data);
	buf_byte(out, '\n');
}

static void
indent(struct buf *out, int depth)
{
	for (int i = 0; i < depth; i++)
		buf_text(out, "  ");
}

static bool
is_block(struct json_value value)
{
	return (value.kind == JSON_OBJECT || value.kind == JSON_ARRAY) && value.raw.size > 2;
}

static void
scalar(struct json_value value, struct buf *out)
{
	if (value.kind == JSON_STRING)
		json_decode(value, out);
	else
		buf_add(out, value.raw);
}

static void
block(struct json_value value, int depth, struct buf *out)
{
	struct json_iter iter;
	struct json_value item;
	struct slice key;

	json_iter(&iter, value);
	while (json_next(&iter, &key, &item)) {
		indent(out, depth);
		if (value.kind == JSON_OBJECT)
			buf_format(out, "%.*s:", SLICE_ARG(key));
		else
			buf_byte(out, '-');
		if (is_block(item)) {
			buf_byte(out, '\n');
			block(item, depth + 1, out);
		} else {
			buf_byte(out, ' ');
			scalar(item, out);
			buf_byte(out, '\n');
		}
	}
}

void
print_json_text(struct json_value value, struct buf *out)
{
	if (is_block(value)) {
		block(value, 0, out);
		return;
	}
	scalar(value, out);
	buf_byte(out, '\n');
}

void
print_out(struct buf *out)
{
	fwrite(out->data != NULL ? out->data : "", 1, out->size, stdout);
	buf_clear(out);
}

void
print_progress(const char *format, ...)
{
	va_list arguments;

	if (!isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fflush(stderr);
}
