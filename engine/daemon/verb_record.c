/* SPDX-License-Identifier: MIT */
/*
 * `record`: a live stream as a spec that passes today: what was recorded is given, the state it folds to is expected.
 * Commands are not kept by the store (of each only a hash, to know it again), so the spec begins with their events.
 *
 * Values are written as Lua where that says the same; what it cannot say (null, empty lists, odd names) stays JSON.
 */
#include <stdio.h>

#include "core/load.h"
#include "daemon/print.h"
#include "daemon/reading.h"
#include "daemon/rules.h"

#define OUT_MAX   ((size_t)64 << 20)
#define PAGE      500
#define DEPTH_MAX 32

struct recorder {
	struct reading reading;
	struct rules rules;
	struct stream_name name;
	uint16_t aggregate;
	struct buf out;
	struct buf state;
};

/* ---- JSON as Lua ---- */

static bool
is_name(struct slice text)
{
	static const char *const words[] = { "and",      "break",  "do",   "else", "elseif", "end",  "false", "for",
					     "function", "goto",   "if",   "in",   "local",  "nil",  "not",   "or",
					     "repeat",   "return", "then", "true", "until",  "while" };
	for (size_t i = 0; i < countof(words); i++) {
		if (slice_equal(text, slice_text(words[i])))
			return false;
	}
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!letter && !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return text.size > 0;
}

/* Can Lua say it, and will the kit read it back as the same JSON? */
static bool
is_plain(struct json_value value, unsigned depth)
{
	struct json_iter iter;
	struct json_value item;
	struct slice key;
	size_t count = 0;

	if (value.kind == JSON_NULL || depth > DEPTH_MAX)
		return false;
	/* Lua reads the least integer as minus of what is none. */
	if (value.kind == JSON_NUMBER)
		return !slice_equal(value.raw, SLICE("-9223372036854775808"));
	if (value.kind != JSON_ARRAY && value.kind != JSON_OBJECT)
		return true;
	json_iter(&iter, value);
	for (; json_next(&iter, &key, &item); count++) {
		if (!is_plain(item, depth + 1) || (value.kind == JSON_OBJECT && !is_name(key)))
			return false;
	}
	return count > 0 || value.kind == JSON_OBJECT;
}

/* JSON's escapes are decoded; what is no plain byte is written by its number. */
static void
write_text(struct json_value value, struct buf *out)
{
	struct buf text;

	buf_init(&text, OUT_MAX);
	json_decode(value, &text);
	buf_byte(out, '"');
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c == '"' || c == '\\')
			buf_format(out, "\\%c", c);
		else if (c == '\n')
			buf_text(out, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_format(out, "\\%03u", c);
		else
			buf_byte(out, (char)c);
	}
	buf_byte(out, '"');
	out->failed |= text.failed;
	buf_fini(&text);
}

static void
write_value(struct json_value value, struct buf *out)
{
	struct json_iter iter;
	struct json_value item;
	struct slice key;
	bool first = true;

	if (value.kind == JSON_STRING) {
		write_text(value, out);
		return;
	}
	if (value.kind != JSON_ARRAY && value.kind != JSON_OBJECT) {
		buf_add(out, value.raw);
		return;
	}
	json_iter(&iter, value);
	while (json_next(&iter, &key, &item)) {
		buf_text(out, first ? "{ " : ", ");
		first = false;
		if (value.kind == JSON_OBJECT)
			buf_format(out, "%.*s = ", SLICE_ARG(key));
		write_value(item, out);
	}
	buf_text(out, first ? "{}" : " }");
}

/* A long text whose brackets do not meet its end. */
static void
write_long(struct slice text, struct buf *out)
{
	char close[24] = "]]";
	size_t level = 0;

	while (memmem(text.data, text.size, close, strlen(close)) != NULL && level < sizeof(close) - 3) {
		level++;
		memset(close, '=', level + 1);
		close[0] = close[level + 1] = ']';
		close[level + 2] = '\0';
	}
	buf_format(out, "[%.*s[%.*s%s", (int)level, "====================", SLICE_ARG(text), close);
}

/* ---- the spec ---- */

static int
write_event(struct recorder *record, const struct recorded_entry *entry, struct fault *fault)
{
	const struct script_aggregate *rules = &record->rules.program->aggregates[record->aggregate];
	struct buf *out = &record->out;
	char time[CLOCK_TEXT_SIZE];
	struct json_value data;
	uint32_t newest = 0;

	if (json_check(entry->data, &data, fault) != 0)
		return -1;
	for (size_t i = 0; i < rules->event_count; i++) {
		if (slice_equal(rules->events[i].name, entry->type))
			newest = rules->events[i].version;
	}
	buf_format(out, "            { type = \"%.*s\", ", SLICE_ARG(entry->type));
	if (entry->schema_version != newest)
		buf_format(out, "version = %u, ", entry->schema_version);
	if (rules->meta_matters) {
		clock_format(entry->recorded_at_us, time);
		buf_format(out, "at = \"%s\", ", time);
	}
	/* Old bytes stay what they were. */
	bool plain = entry->schema_version == newest && is_plain(data, 0);
	buf_text(out, plain ? "data = " : "json = ");
	if (plain)
		write_value(data, out);
	else
		write_long(entry->data, out);
	buf_text(out, " },\n");
	return 0;
}

static int
write_events(struct recorder *record, struct fault *fault)
{
	struct read_limit limit = { .entries = PAGE };
	stream_version from = 1, end = 0;
	struct entries entries;

	do {
		arena_clear(&record->reading.arena);
		if (store_read_stream(record->reading.reader, record->name.whole, from, limit, &record->reading.arena,
				      &entries, &end, fault) != 0)
			return -1;
		if (end == 0)
			return fault_set(fault, FAULT_INPUT, "no_such_stream", "there is no stream %.*s",
					 SLICE_ARG(record->name.whole));
		for (size_t i = 0; i < entries.count; i++) {
			if (write_event(record, &entries.items[i], fault) != 0)
				return -1;
		}
		from += entries.count;
	} while (entries.count > 0 && from <= end);
	return 0;
}

static int
write_state(struct recorder *record, struct fault *fault)
{
	struct loading loading = {
		record->reading.reader, record->rules.machine, &record->reading.arena, record->aggregate, false, NULL
	};
	struct json_value value;
	stream_version found = 0;
	script_state state = 0;

	if (load_stream(&loading, record->name.whole, 0, &state, &found, fault) != 0)
		return -1;
	int result = script_encode(record->rules.machine, record->aggregate, state, &record->state, fault);
	script_state_release(record->rules.machine, state);
	if (result != 0 || json_check(buf_slice(&record->state), &value, fault) != 0)
		return -1;
	buf_text(&record->out, "        :expect_state ");
	if (is_plain(value, 0))
		write_value(value, &record->out);
	else
		write_long(value.raw, &record->out);
	buf_byte(&record->out, '\n');
	return 0;
}

static int
write_spec(struct recorder *record, struct fault *fault)
{
	struct buf *out = &record->out;
	struct slice domain = record->name.domain, aggregate = record->name.aggregate;

	buf_format(out,
		   "-- The stream %.*s as it was recorded.\n"
		   "describe(\"%.*s\", function()\n"
		   "    local aggregate = moonlog.aggregate \"%.*s.%.*s\"\n\n"
		   "    it(\"folds what was recorded\", function()\n"
		   "        aggregate:given {\n",
		   SLICE_ARG(record->name.whole), SLICE_ARG(record->name.whole), SLICE_ARG(domain),
		   SLICE_ARG(aggregate));
	if (write_events(record, fault) != 0)
		return -1;
	buf_text(out, "        }\n");
	if (write_state(record, fault) != 0)
		return -1;
	buf_text(out, "    end)\nend)\n");
	return out->failed ? fault_set(fault, FAULT_MEMORY, "memory", "the stream is too long for a spec") : 0;
}

static int
find_rules(struct recorder *record, const struct call *call, struct fault *fault)
{
	if (call->word_count > 1)
		return rules_from_named(&record->rules, &record->reading.config, call->words[1], &record->name, fault);
	return rules_find(&record->rules, &record->reading.config, record->reading.reader, record->name.domain, fault);
}

enum exit_code
verb_record(struct call *call)
{
	struct recorder record = { 0 };
	const char *stream = call->words[0];
	struct fault fault;
	enum exit_code code = EXIT_DONE;

	buf_init(&record.out, OUT_MAX);
	buf_init(&record.state, OUT_MAX);
	if (reading_open(call, &record.reading, &fault) != 0 ||
	    stream_parse(slice_text(stream), &record.name, &fault) != 0 || find_rules(&record, call, &fault) != 0 ||
	    rules_aggregate(&record.rules, record.name.aggregate, &record.aggregate, &fault) != 0 ||
	    write_spec(&record, &fault) != 0)
		code = exit_say(&fault);
	else
		print_out(&record.out);
	rules_close(&record.rules);
	reading_close(&record.reading);
	buf_fini(&record.out);
	buf_fini(&record.state);
	return code;
}
