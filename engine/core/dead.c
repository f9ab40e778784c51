/* SPDX-License-Identifier: MIT */
#include "core/dead.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "core/cloudevent.h"
#include "store/store.h"

#define HEADERS_MOST   (STORE_HEADERS_MAX / 2) /* as JSON, of the message's own on the dead-letter topic */
#define HEADERS_OWN    8
#define HEADERS_THEIRS (MESSAGE_HEADERS_COUNT - HEADERS_OWN)

/* At most, as JSON. */
static size_t
quoted_size(struct slice text)
{
	size_t size = text.size + 8;

	for (size_t i = 0; i < text.size; i++)
		size += (unsigned char)text.data[i] < 0x20 ? 5 : text.data[i] == '"' || text.data[i] == '\\';
	return size;
}

static void
write_bytes(struct buf *out, const char *key, struct slice bytes)
{
	char name[32] = { 0 };

	if (json_utf8(bytes) && quoted_size(bytes) <= 2 * bytes.size + 1024) {
		json_key(out, key);
		json_quote(out, bytes);
		return;
	}
	strncat(name, key, sizeof(name) - 5);
	strcat(name, "_hex");
	json_key(out, name);
	buf_byte(out, '"');
	buf_hex(out, bytes.data, bytes.size);
	buf_byte(out, '"');
}

static void
write_time(struct buf *out, const char *key, int64_t time_us)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(time_us, text);
	json_key(out, key);
	json_quote(out, slice_text(text));
}

static void
write_number(struct buf *out, const char *key, uint64_t number)
{
	json_key(out, key);
	buf_u64(out, number);
}

void
dead_write(const struct dead_letter *letter, struct buf *out)
{
	buf_byte(out, '{');
	write_bytes(out, "consumer", letter->consumer);
	write_bytes(out, "topic", letter->topic);
	json_key(out, "partition");
	buf_i64(out, letter->partition);
	write_number(out, letter->from_log ? "position" : "offset", letter->offset);
	write_bytes(out, "type", letter->type);
	write_bytes(out, "id", letter->id);
	write_bytes(out, "source", letter->source);
	write_bytes(out, "key", letter->key);
	if (letter->tombstone)
		buf_text(out, ",\"value\":null");
	else
		write_bytes(out, "value", letter->value);
	json_key(out, "headers");
	buf_byte(out, '[');
	for (size_t i = 0; i < letter->header_count; i++) {
		json_comma(out);
		buf_byte(out, '{');
		write_bytes(out, "name", letter->headers[i].name);
		write_bytes(out, "value", letter->headers[i].value);
		buf_byte(out, '}');
	}
	buf_byte(out, ']');
	write_time(out, "time", letter->time_us);
	if (letter->parked.size != 0)
		write_bytes(out, "parked", letter->parked);
	write_number(out, "attempts", letter->attempts);
	write_bytes(out, "class", letter->class);
	write_bytes(out, "code", letter->code);
	write_bytes(out, "text", letter->text);
	write_time(out, "first", letter->first_us);
	write_time(out, "last", letter->last_us);
	buf_byte(out, '}');
}

/* ---- reading ---- */

struct parsing {
	struct arena *arena;
	bool failed; /* no memory, or not as it was written */
};

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct slice
parse_hex(struct parsing *parsing, struct slice text)
{
	char *bytes = arena_alloc(parsing->arena, text.size / 2 + 1);

	for (size_t i = 0; bytes != NULL && i + 1 < text.size; i += 2) {
		int high = digit(text.data[i]), low = digit(text.data[i + 1]);

		parsing->failed = parsing->failed || high < 0 || low < 0;
		bytes[i / 2] = (char)(high * 16 + low);
	}
	parsing->failed = parsing->failed || bytes == NULL || text.size % 2 != 0;
	return slice_from(bytes, text.size / 2);
}

static struct slice
parse_text(struct parsing *parsing, struct json_value value)
{
	struct slice text;
	struct buf buf;

	buf_init(&buf, SIZE_MAX);
	json_decode(value, &buf);
	text = arena_copy(parsing->arena, buf_slice(&buf));
	parsing->failed = parsing->failed || buf.failed || text.data == NULL || value.kind != JSON_STRING;
	buf_fini(&buf);
	return text;
}

/* A member of bytes: as text, or as <key>_hex. */
static struct slice
parse_bytes(struct parsing *parsing, struct json_value object, const char *key)
{
	char name[32] = { 0 };
	struct json_value value;

	if (json_member(object, slice_text(key), &value))
		return parse_text(parsing, value);
	strncat(name, key, sizeof(name) - 5);
	strcat(name, "_hex");
	if (json_member(object, slice_text(name), &value))
		return parse_hex(parsing, parse_text(parsing, value));
	parsing->failed = true;
	return SLICE_NONE;
}

static int64_t
parse_time(struct parsing *parsing, struct json_value object, const char *key)
{
	struct slice text = parse_bytes(parsing, object, key);
	int64_t time_us = 0;

	parsing->failed = parsing->failed || text.data == NULL || clock_parse(text.data, &time_us) != 0;
	return time_us;
}

static bool
parse_number(struct json_value object, const char *key, uint64_t *number)
{
	struct json_value value;

	return json_member(object, slice_text(key), &value) && json_to_u64(value, number);
}

static void
parse_headers(struct parsing *parsing, struct json_value object, struct dead_letter *letter)
{
	struct json_value list, item;
	struct message_header *headers;
	struct json_iter iter;
	struct slice none;
	size_t count = 0;

	if (!json_member(object, SLICE("headers"), &list) || list.kind != JSON_ARRAY) {
		parsing->failed = true;
		return;
	}
	json_iter(&iter, list);
	while (json_next(&iter, &none, &item))
		count++;
	headers = arena_zero(parsing->arena, count + 1, sizeof(*headers));
	if (headers == NULL) {
		parsing->failed = true;
		return;
	}
	json_iter(&iter, list);
	for (size_t i = 0; json_next(&iter, &none, &item); i++) {
		headers[i].name = parse_bytes(parsing, item, "name");
		headers[i].value = parse_bytes(parsing, item, "value");
	}
	letter->headers = headers;
	letter->header_count = count;
}

static void
parse_members(struct parsing *parsing, struct json_value object, struct dead_letter *letter)
{
	struct json_value value;
	uint64_t partition = 0;

	*letter = (struct dead_letter){ .consumer = parse_bytes(parsing, object, "consumer"),
					.topic = parse_bytes(parsing, object, "topic"),
					.type = parse_bytes(parsing, object, "type"),
					.id = parse_bytes(parsing, object, "id"),
					.source = parse_bytes(parsing, object, "source"),
					.key = parse_bytes(parsing, object, "key"),
					.class = parse_bytes(parsing, object, "class"),
					.code = parse_bytes(parsing, object, "code"),
					.text = parse_bytes(parsing, object, "text"),
					.time_us = parse_time(parsing, object, "time"),
					.first_us = parse_time(parsing, object, "first"),
					.last_us = parse_time(parsing, object, "last") };
	letter->tombstone = json_member(object, SLICE("value"), &value) && value.kind == JSON_NULL;
	if (!letter->tombstone)
		letter->value = parse_bytes(parsing, object, "value");
	if (json_member(object, SLICE("parked"), &value))
		letter->parked = parse_text(parsing, value);
	letter->from_log = parse_number(object, "position", &letter->offset);
	if ((!letter->from_log && !parse_number(object, "offset", &letter->offset)) ||
	    !parse_number(object, "partition", &partition) || partition > INT32_MAX ||
	    !parse_number(object, "attempts", &letter->attempts))
		parsing->failed = true;
	letter->partition = (int32_t)partition;
	parse_headers(parsing, object, letter);
}

int
dead_parse(struct slice json, struct arena *arena, struct dead_letter *letter, struct fault *fault)
{
	struct parsing parsing = { arena, false };
	struct json_value object;

	if (json_check(json, &object, NULL) == 0 && object.kind == JSON_OBJECT) {
		parse_members(&parsing, object, letter);
		if (!parsing.failed)
			return 0;
	}
	return fault_set(fault, FAULT_CORRUPT, "bad_letter", "a dead letter cannot be read");
}

/* ---- headers on the dead-letter topic ---- */

struct header_text {
	char name[CLOCK_TEXT_SIZE + 200];
	struct slice value;
	size_t order;
};

static int
compare_headers(const void *a, const void *b)
{
	const struct header_text *one = a, *other = b;
	int order = strcmp(one->name, other->name);

	return order != 0 ? order : one->order < other->order ? -1 : 1;
}

static void
add_header(struct header_text *list, size_t *count, const char *prefix, struct slice name, struct slice value)
{
	struct header_text *header = &list[*count];

	if (*count == CLOUDEVENT_HEADERS_MAX || name.size == 0 || name.size > 200 || !json_utf8(name) ||
	    !json_utf8(value) || memchr(name.data, '\0', name.size) != NULL)
		return;
	header->name[0] = '\0';
	strcat(header->name, prefix);
	strncat(header->name, name.data, name.size);
	header->value = value;
	header->order = (*count)++;
}

static void
write_sorted(struct header_text *list, size_t count, struct buf *out)
{
	qsort(list, count, sizeof(*list), compare_headers);
	buf_byte(out, '{');
	for (size_t i = 0; i < count; i++) {
		if (i + 1 < count && strcmp(list[i].name, list[i + 1].name) == 0)
			continue;
		json_comma(out);
		json_quote(out, slice_text(list[i].name));
		buf_byte(out, ':');
		json_quote(out, list[i].value);
	}
	buf_byte(out, '}');
}

void
dead_headers(const struct dead_letter *letter, struct buf *out)
{
	struct header_text *list = calloc(CLOUDEVENT_HEADERS_MAX, sizeof(*list));
	char time[CLOCK_TEXT_SIZE], numbers[3][24];
	const uint64_t values[] = { (uint64_t)letter->partition, letter->offset, letter->attempts };
	const char *const names[] = { "partition", "offset", "attempts" };
	size_t count = 0, bytes = 0;

	if (list == NULL) {
		out->failed = true;
		return;
	}
	clock_format(letter->last_us, time);
	for (size_t i = 0; i < letter->header_count && count < HEADERS_THEIRS; i++) {
		struct slice name = letter->headers[i].name;
		bool ours = slice_starts_with(name, SLICE("ce_")) || slice_equal(name, SLICE("content-type"));

		bytes += quoted_size(name) + quoted_size(letter->headers[i].value);
		if (bytes <= HEADERS_MOST)
			add_header(list, &count, ours ? "dlq-" : "", name, letter->headers[i].value);
	}
	add_header(list, &count, "dlq-", SLICE("consumer"), letter->consumer);
	add_header(list, &count, "dlq-", SLICE("topic"), letter->topic);
	add_header(list, &count, "dlq-", SLICE("error-class"), letter->class);
	add_header(list, &count, "dlq-", SLICE("error"), letter->text);
	add_header(list, &count, "dlq-", SLICE("time"), slice_text(time));
	for (size_t i = 0; i < countof(names); i++) {
		struct buf text = { .data = numbers[i], .room = sizeof(numbers[i]), .cap_bytes = sizeof(numbers[i]) };

		buf_u64(&text, values[i]);
		add_header(list, &count, "dlq-", slice_text(names[i]), buf_slice(&text));
	}
	write_sorted(list, count, out);
	free(list);
}
