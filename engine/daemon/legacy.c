/* SPDX-License-Identifier: MIT */
/*
 * What the function gives is read like any line from outside: { stream, type, version, data, time, number, id, actor,
 * unique }. stream, type, data and time are needed; version is the schema's (1 when absent), number the event's version
 * in its stream, for a log that knows it; unique = { name = key } the keys that rules would have reserved with it. The
 * data comes out of the codec canonical.
 */
#include "daemon/legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "script/lua/function.h"

#define FILE_MAX ((size_t)1 << 20)
#define OUT_MAX  ((size_t)8 << 20)

struct legacy {
	struct moon_function *function;
	char *name;
	char *text;
	struct buf out;
};

static int
read_file(const char *path, char **text, size_t *size, struct fault *fault)
{
	FILE *file = fopen(path, "rbe");
	char *bytes = malloc(FILE_MAX + 1);
	int failed;

	if (file == NULL || bytes == NULL) {
		int number = errno;
		free(bytes);
		if (file != NULL)
			fclose(file);
		return fault_errno(fault, FAULT_CONFIG, number, "%s cannot be opened", path);
	}
	*size = fread(bytes, 1, FILE_MAX + 1, file);
	failed = ferror(file) ? errno : 0;
	fclose(file);
	*text = bytes;
	if (failed != 0)
		return fault_set(fault, FAULT_INPUT, "no_such_file", "%s cannot be read: %s", path, strerror(failed));
	if (*size > FILE_MAX)
		return fault_set(fault, FAULT_LIMIT, "source_too_large", "%s has more than %zu bytes", path, FILE_MAX);
	return 0;
}

int
legacy_open(const char *path, const struct script_limits *limits, struct legacy **legacy, struct fault *fault)
{
	struct legacy *made = calloc(1, sizeof(*made));
	size_t size = 0;

	if (made == NULL || (made->name = strdup(path)) == NULL) {
		free(made);
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to open %s", path);
	}
	buf_init(&made->out, OUT_MAX);
	if (read_file(path, &made->text, &size, fault) != 0 ||
	    moon_function_open(slice_text(made->name), slice_from(made->text, size), limits, &made->function, fault) !=
		    0) {
		legacy_close(made);
		return -1;
	}
	*legacy = made;
	return 0;
}

void
legacy_close(struct legacy *legacy)
{
	if (legacy == NULL)
		return;
	moon_function_close(legacy->function);
	buf_fini(&legacy->out);
	free(legacy->name);
	free(legacy->text);
	free(legacy);
}

/* ---- what the function gave ---- */

enum made_field {
	MADE_STREAM,
	MADE_TYPE,
	MADE_VERSION,
	MADE_DATA,
	MADE_TIME,
	MADE_NUMBER,
	MADE_ID,
	MADE_ACTOR,
	MADE_UNIQUE,
	MADE_COUNT
};

static const struct {
	const char *name;
	enum json_kind kind;
	bool needed;
} fields[MADE_COUNT] = {
	[MADE_STREAM] = { "stream", JSON_STRING, true },    [MADE_TYPE] = { "type", JSON_STRING, true },
	[MADE_VERSION] = { "version", JSON_NUMBER, false }, [MADE_DATA] = { "data", JSON_OBJECT, true },
	[MADE_TIME] = { "time", JSON_STRING, true },        [MADE_NUMBER] = { "number", JSON_NUMBER, false },
	[MADE_ID] = { "id", JSON_STRING, false },           [MADE_ACTOR] = { "actor", JSON_STRING, false },
	[MADE_UNIQUE] = { "unique", JSON_OBJECT, false },
};

static int
bad(struct fault *fault, const char *format, const char *name)
{
	char text[160];

	snprintf(text, sizeof(text), format, name);
	return fault_set(fault, FAULT_INPUT, "bad_import", "what the function gave: %s", text);
}

static int
sort_fields(struct json_value made, struct json_value found[MADE_COUNT], struct fault *fault)
{
	struct json_value value;
	struct json_iter iter;
	struct slice key;
	char name[64];

	if (made.kind != JSON_OBJECT)
		return bad(fault, "%s", "no table with names");
	json_iter(&iter, made);
	while (json_next(&iter, &key, &value)) {
		size_t i = 0;
		while (i < MADE_COUNT && !slice_equal(key, slice_text(fields[i].name)))
			i++;
		snprintf(name, sizeof(name), "%.*s", SLICE_ARG(key));
		if (i == MADE_COUNT)
			return bad(fault, "unknown field \"%s\"", name);
		if (value.kind != fields[i].kind && !(i == MADE_TIME && value.kind == JSON_NUMBER))
			return bad(fault, "field \"%s\" is of the wrong kind", name);
		found[i] = value;
	}
	for (size_t i = 0; i < MADE_COUNT; i++)
		if (fields[i].needed && found[i].raw.size == 0)
			return bad(fault, "field \"%s\" is missing", fields[i].name);
	return 0;
}

static int
take_text(struct json_value value, struct arena *arena, struct slice *text, struct fault *fault)
{
	struct buf buf;

	if (value.raw.size == 0)
		return 0;
	buf_init(&buf, OUT_MAX);
	json_decode(value, &buf);
	*text = buf.failed ? SLICE_NONE : arena_copy(arena, buf_slice(&buf));
	buf_fini(&buf);
	return text->data != NULL ? 0 : fault_set(fault, FAULT_MEMORY, "memory", "no memory for a record");
}

/* ISO 8601 text, or microseconds since 1970. */
static bool
take_time(struct json_value value, struct arena *arena, int64_t *time)
{
	struct slice text = SLICE_NONE;

	if (value.kind == JSON_NUMBER)
		return json_to_i64(value, time);
	return take_text(value, arena, &text, NULL) == 0 && text.size < 64 && clock_parse(text.data, time) == 0;
}

static bool
take_number(struct json_value value, uint64_t least, uint64_t most, uint64_t *number)
{
	return value.raw.size == 0 || (json_to_u64(value, number) && *number >= least && *number <= most);
}

/* A foreign id that is no UUID has no place as an id: the causation keeps it. */
static void
take_id(struct slice text, struct recorded_entry *entry)
{
	if (text.size != 0 && id_parse(text, &entry->id) != 0)
		entry->provenance.causation_id = text;
}

/* Another name could be recorded, but no rules could ever declare it, and so the whole domain could not be read. */
static bool
is_type(struct slice text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	return text.size > 0 && text.size <= ENTRY_TYPE_MAX && strspn(text.data, letters) == text.size &&
	       (text.data[0] < '0' || text.data[0] > '9');
}

static int
make_entry(struct json_value found[MADE_COUNT], struct arena *arena, struct recorded_entry *entry, struct fault *fault)
{
	uint64_t version = 1, number = 0;
	struct slice id = SLICE_NONE;
	struct stream_name name;

	*entry = (struct recorded_entry){ .kind = ENTRY_EVENT, .commit_size = 1 };
	if (take_text(found[MADE_STREAM], arena, &entry->stream, fault) != 0 ||
	    take_text(found[MADE_TYPE], arena, &entry->type, fault) != 0 ||
	    take_text(found[MADE_ACTOR], arena, &entry->provenance.actor, fault) != 0 ||
	    take_text(found[MADE_ID], arena, &id, fault) != 0 || stream_parse(entry->stream, &name, fault) != 0)
		return -1;
	if (!is_type(entry->type))
		return bad(fault, "%s", "the type is a name as rules declare it: 1 to 120 letters, digits and _");
	if (!take_number(found[MADE_VERSION], 1, UINT32_MAX, &version))
		return bad(fault, "%s", "the version is that of the event's schema, from 1");
	if (!take_number(found[MADE_NUMBER], 1, UINT64_MAX, &number))
		return bad(fault, "%s", "the number is that of the event in its stream, from 1");
	if (!take_time(found[MADE_TIME], arena, &entry->recorded_at_us))
		return bad(fault, "%s", "the time is ISO 8601 with a zone, or microseconds since 1970");
	entry->data = arena_copy(arena, found[MADE_DATA].raw);
	if (entry->data.data == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a record");
	if (entry->data.size > ENTRY_DATA_MAX)
		return bad(fault, "%s", "the data has more than 1 MiB");
	entry->schema_version = (uint32_t)version;
	entry->version = number;
	take_id(id, entry);
	return 0;
}

/* { accountNumber = "4711" }: as ctx:reserve takes them, texts or integers. */
static int
make_keys(struct json_value made, struct arena *arena, struct legacy_event *event, struct fault *fault)
{
	struct stream_name name;
	struct json_value value;
	struct json_iter iter;
	struct slice word;
	int64_t number;

	if (made.raw.size == 0)
		return 0;
	if (stream_parse(event->entry.stream, &name, fault) != 0)
		return -1;
	json_iter(&iter, made);
	while (json_next(&iter, &word, &value)) {
		struct legacy_key *key = &event->keys[event->key_count];

		if (event->key_count++ == LEGACY_KEYS)
			return bad(fault, "%s", "an event takes at most 8 unique keys");
		key->set = arena_format(arena, "%.*s.%.*s", SLICE_ARG(name.domain), SLICE_ARG(word));
		if (value.kind == JSON_NUMBER && json_to_i64(value, &number))
			key->key = arena_format(arena, "%lld", (long long)number);
		else if (value.kind != JSON_STRING)
			return bad(fault, "%s", "a unique key is text or an integer");
		else if (take_text(value, arena, &key->key, fault) != 0)
			return -1;
	}
	return 0;
}

int
legacy_read(struct legacy *legacy, struct slice line, struct arena *arena, struct legacy_event *event,
	    struct fault *fault)
{
	struct json_value found[MADE_COUNT] = { { .raw = SLICE_NONE } }, made;

	*event = (struct legacy_event){ .key_count = 0 };
	buf_clear(&legacy->out);
	if (moon_function_call(legacy->function, line, &legacy->out, fault) != 0)
		return -1;
	event->skip = legacy->out.size == 0;
	if (event->skip)
		return 0;
	if (legacy->out.failed)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a record");
	if (json_check(buf_slice(&legacy->out), &made, fault) != 0 || sort_fields(made, found, fault) != 0 ||
	    make_entry(found, arena, &event->entry, fault) != 0)
		return -1;
	return make_keys(found[MADE_UNIQUE], arena, event, fault);
}
