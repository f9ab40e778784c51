/* SPDX-License-Identifier: MIT */
#include "core/generation.h"

#include <stdio.h>

#include "base/json.h"

#define NUMBER_SIZE 11
#define LIST_PAGE   200
#define FILES_MAX   1000 /* of one generation: what domain.h lets through */

/* ---- small things ---- */

static struct slice
number_text(struct arena *arena, uint32_t number)
{
	return arena_format(arena, "%010u", number);
}

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a generation");
}

static int
bad_record(struct slice space, struct slice key, struct fault *fault)
{
	return fault_set(fault, FAULT_CORRUPT, "bad_generation", "record %.*s/%.*s is no generation", SLICE_ARG(space),
			 SLICE_ARG(key));
}

static struct slice
hex(struct arena *arena, const struct digest *digest)
{
	struct buf buf;
	struct slice text;

	buf_init(&buf, 4 * DIGEST_SIZE);
	buf_hex(&buf, digest->bytes, DIGEST_SIZE);
	text = buf.failed ? SLICE_NONE : arena_copy(arena, buf_slice(&buf));
	buf_fini(&buf);
	return text;
}

static bool
parse_hex(struct slice text, struct digest *digest)
{
	if (text.size != 2 * DIGEST_SIZE)
		return false;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		char pair[3] = { text.data[2 * i], text.data[2 * i + 1], '\0' };
		unsigned byte;

		if (sscanf(pair, "%2x", &byte) != 1)
			return false;
		digest->bytes[i] = (uint8_t)byte;
	}
	return true;
}

/* The text between the quotes of a member; what we write holds nothing that is escaped. */
static bool
text_member(struct json_value object, const char *key, struct slice *text)
{
	struct json_value member;

	if (object.kind != JSON_OBJECT || !json_member(object, slice_text(key), &member) || member.kind != JSON_STRING)
		return false;
	*text = slice_from(member.raw.data + 1, member.raw.size - 2);
	return true;
}

static bool
number_member(struct json_value object, const char *key, uint32_t *number)
{
	struct json_value member;
	uint64_t wide;

	if (object.kind != JSON_OBJECT || !json_member(object, slice_text(key), &member) ||
	    !slice_to_u64(member.raw, &wide) || wide > UINT32_MAX)
		return false;
	*number = (uint32_t)wide;
	return true;
}

static int
add_record(struct record_list *records, struct record_write record, struct arena *arena, struct fault *fault)
{
	if (record.space.data == NULL || record.key.data == NULL || record.value.data == NULL)
		return no_memory(fault);
	if (records->count == records->room) {
		size_t room = records->room != 0 ? 2 * records->room : 16;
		struct record_write *wider = arena_zero(arena, room, sizeof(*wider));

		if (wider == NULL)
			return no_memory(fault);
		if (records->count != 0)
			memcpy(wider, records->items, records->count * sizeof(*wider));
		records->items = wider;
		records->room = room;
	}
	records->items[records->count++] = record;
	return 0;
}

static int
put(struct record_list *records, const char *space, struct slice key, struct slice value, struct arena *arena,
    struct fault *fault)
{
	struct record_write record = { .rule = RECORD_PUT, .space = slice_text(space), .key = key, .value = value };

	return add_record(records, record, arena, fault);
}

/* ---- numbers ---- */

static int
read_number(struct store_reader *reader, struct slice space, struct slice key, struct arena *arena, uint32_t *number,
	    struct fault *fault)
{
	struct slice value;
	uint64_t wide;
	bool found;

	*number = 0;
	if (store_read_record(reader, space, key, arena, &value, &found, fault) != 0)
		return -1;
	if (!found)
		return 0;
	if (!slice_to_u64(value, &wide) || wide == 0 || wide > UINT32_MAX)
		return bad_record(space, key, fault);
	*number = (uint32_t)wide;
	return 0;
}

static struct slice
set_key(const struct source_set *sources, struct arena *arena)
{
	struct slice hash = hex(arena, &sources->hash);

	return hash.data == NULL ? SLICE_NONE
				 : arena_format(arena, "%.*s/%.*s", SLICE_ARG(sources->domain), SLICE_ARG(hash));
}

int
generation_find(struct store_reader *reader, const struct source_set *sources, struct arena *arena,
		uint32_t *generation, struct fault *fault)
{
	struct slice key = set_key(sources, arena);

	if (key.data == NULL)
		return no_memory(fault);
	return read_number(reader, SLICE("generation_of"), key, arena, generation, fault);
}

/* ---- making ---- */

/* The manifest, as JSON. */
static struct slice
manifest(const struct source_set *sources, int64_t now_us, struct arena *arena)
{
	char made[CLOCK_TEXT_SIZE];
	struct slice text;
	struct buf buf;

	clock_format(now_us, made);
	buf_init(&buf, (size_t)4 << 20);
	buf_text(&buf, "{\"domain\":");
	json_quote(&buf, sources->domain);
	buf_text(&buf, ",\"hash\":\"");
	buf_hex(&buf, sources->hash.bytes, DIGEST_SIZE);
	buf_format(&buf, "\",\"made\":\"%s\",\"sources\":[", made);
	for (size_t i = 0; i < sources->count; i++) {
		buf_text(&buf, i == 0 ? "{\"hash\":\"" : ",{\"hash\":\"");
		buf_hex(&buf, sources->items[i].hash.bytes, DIGEST_SIZE);
		buf_text(&buf, "\",\"path\":");
		json_quote(&buf, sources->items[i].path);
		buf_byte(&buf, '}');
	}
	buf_text(&buf, "]}");
	text = buf.failed ? SLICE_NONE : arena_copy(arena, buf_slice(&buf));
	buf_fini(&buf);
	return text;
}

int
generation_add(struct store_reader *reader, const struct source_set *sources, int64_t now_us, struct arena *arena,
	       struct record_list *records, uint32_t *generation, struct fault *fault)
{
	struct record_write last = { .space = SLICE("generation_last"), .key = SLICE("last") };
	struct slice next;
	uint32_t before;

	if (read_number(reader, last.space, last.key, arena, &before, fault) != 0)
		return -1;
	*generation = before + 1;
	next = number_text(arena, *generation);
	last.rule = before == 0 ? RECORD_ABSENT : RECORD_EQUALS;
	last.before = number_text(arena, before);
	last.value = next;
	for (size_t i = 0; i < sources->count; i++)
		if (put(records, "source", hex(arena, &sources->items[i].hash), sources->items[i].bytes, arena,
			fault) != 0)
			return -1;
	if (put(records, "generation", next, manifest(sources, now_us, arena), arena, fault) != 0 ||
	    put(records, "generation_of", set_key(sources, arena), next, arena, fault) != 0)
		return -1;
	return add_record(records, last, arena, fault);
}

int
generation_activate(struct slice domain, const struct active *before, uint32_t generation, const char *why,
		    int64_t now_us, struct arena *arena, struct record_list *records, struct fault *fault)
{
	char at[CLOCK_TEXT_SIZE];
	struct slice state, history, key;

	clock_format(now_us, at);
	key = arena_format(arena, "%.*s/%010u", SLICE_ARG(domain), before->changes + 1);
	state = arena_format(arena, "{\"changes\":%u,\"generation\":%u,\"previous\":%u}", before->changes + 1,
			     generation, before->generation);
	history = arena_format(arena, "{\"at\":\"%s\",\"generation\":%u,\"previous\":%u,\"why\":\"%s\"}", at,
			       generation, before->generation, why);
	if (put(records, "active", arena_copy(arena, domain), state, arena, fault) != 0)
		return -1;
	return put(records, "activation", key, history, arena, fault);
}

int
generation_commit(struct store *store, const struct record_list *records, struct arena *arena, struct fault *fault)
{
	struct append append = { .records = records->items, .record_count = records->count, .arena = arena };
	struct append *group[] = { &append };

	if (store_commit(store, group, 1, fault) != COMMIT_DONE)
		return -1;
	if (append.answer == APPEND_DONE)
		return 0;
	if (append.answer == APPEND_FAILED) {
		*fault = append.fault;
		return -1;
	}
	return fault_set(fault, FAULT_BUSY, "generation_taken", "another process gave a generation at the same moment");
}

int
generation_find_or_make(struct store *store, const struct source_set *sources, uint32_t *generation,
			struct fault *fault)
{
	struct record_list records = { 0 };
	struct store_reader *reader = NULL;
	struct arena arena;
	int result = -1;

	arena_init(&arena, (size_t)256 << 20);
	if (store_reader_open(store, &reader, fault) != 0 ||
	    generation_find(reader, sources, &arena, generation, fault) != 0)
		goto out;
	if (*generation == 0 &&
	    (generation_add(reader, sources, clock_wall_us(clock_real()), &arena, &records, generation, fault) != 0 ||
	     generation_commit(store, &records, &arena, fault) != 0))
		goto out;
	result = 0;
out:
	store_reader_close(reader);
	arena_fini(&arena);
	return result;
}

/* ---- reading ---- */

static int
read_object(struct store_reader *reader, struct slice space, struct slice key, struct arena *arena,
	    struct json_value *object, bool *found, struct fault *fault)
{
	struct slice bytes;

	if (key.data == NULL)
		return no_memory(fault);
	if (store_read_record(reader, space, key, arena, &bytes, found, fault) != 0)
		return -1;
	if (*found && (json_check(bytes, object, fault) != 0 || object->kind != JSON_OBJECT))
		return bad_record(space, key, fault);
	return 0;
}

static int
read_source(struct store_reader *reader, struct json_value item, struct arena *arena, struct source_file *source,
	    struct fault *fault)
{
	struct slice hash;
	bool found;

	if (!text_member(item, "hash", &hash) || !text_member(item, "path", &source->path) ||
	    !parse_hex(hash, &source->hash))
		return bad_record(SLICE("generation"), SLICE("sources"), fault);
	if (store_read_record(reader, SLICE("source"), hash, arena, &source->bytes, &found, fault) != 0)
		return -1;
	return found ? 0 : bad_record(SLICE("source"), hash, fault);
}

static int
read_sources(struct store_reader *reader, struct json_value list, struct arena *arena, struct source_set *sources,
	     struct fault *fault)
{
	struct source_file *items = arena_zero(arena, FILES_MAX, sizeof(*items));
	struct json_iter iter;
	struct json_value item;
	struct slice key;
	size_t count = 0;

	if (items == NULL)
		return no_memory(fault);
	json_iter(&iter, list);
	while (json_next(&iter, &key, &item)) {
		if (count == FILES_MAX)
			return bad_record(SLICE("generation"), SLICE("sources"), fault);
		if (read_source(reader, item, arena, &items[count++], fault) != 0)
			return -1;
	}
	sources->items = items;
	sources->count = count;
	return 0;
}

int
generation_read(struct store_reader *reader, uint32_t generation, struct arena *arena, struct source_set *sources,
		struct fault *fault)
{
	struct slice space = SLICE("generation"), key = number_text(arena, generation), hash;
	struct json_value object, list;
	bool found;

	*sources = (struct source_set){ 0 };
	if (read_object(reader, space, key, arena, &object, &found, fault) != 0)
		return -1;
	if (!found)
		return fault_set(fault, FAULT_INPUT, "no_such_generation", "the store has no generation %u",
				 generation);
	if (!text_member(object, "domain", &sources->domain) || !text_member(object, "hash", &hash) ||
	    !parse_hex(hash, &sources->hash) || !json_member(object, SLICE("sources"), &list) ||
	    list.kind != JSON_ARRAY)
		return bad_record(space, key, fault);
	return read_sources(reader, list, arena, sources, fault);
}

static int
read_hashes(struct json_value list, struct arena *arena, struct generation_info *info)
{
	struct digest *hashes;
	struct json_iter iter;
	struct json_value item;
	struct slice key, hash;

	json_iter(&iter, list);
	while (json_next(&iter, &key, &item))
		info->files++;
	hashes = arena_zero(arena, info->files + 1, sizeof(*hashes));
	if (hashes == NULL)
		return -1;
	info->sources = hashes;
	json_iter(&iter, list);
	while (json_next(&iter, &key, &item))
		if (!text_member(item, "hash", &hash) || !parse_hex(hash, hashes++))
			return -1;
	return 0;
}

static bool
read_info(const struct record *record, struct arena *arena, struct generation_info *info, struct fault *fault)
{
	struct json_value object, list;
	struct slice hash;
	uint64_t number;

	if (!slice_to_u64(record->key, &number) || json_check(record->value, &object, fault) != 0 ||
	    !text_member(object, "domain", &info->domain) || !text_member(object, "hash", &hash) ||
	    !parse_hex(hash, &info->hash) || !json_member(object, SLICE("sources"), &list))
		return false;
	text_member(object, "made", &info->made);
	info->number = (uint32_t)number;
	return read_hashes(list, arena, info) == 0;
}

int
generation_list(struct store_reader *reader, uint32_t after, size_t limit, struct arena *arena,
		struct generation_info **infos, size_t *count, struct fault *fault)
{
	struct slice space = SLICE("generation"), from = number_text(arena, after);
	struct record *records;

	*count = 0;
	if (from.data == NULL)
		return no_memory(fault);
	if (store_list_records(reader, space, from, limit, arena, &records, count, fault) != 0)
		return -1;
	*infos = arena_zero(arena, *count + 1, sizeof(**infos));
	if (*infos == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < *count; i++)
		if (!read_info(&records[i], arena, &(*infos)[i], fault))
			return bad_record(space, records[i].key, fault);
	return 0;
}

int
generation_newest(struct store_reader *reader, struct slice domain, struct arena *arena, uint32_t *generation,
		  struct fault *fault)
{
	struct generation_info *infos;
	uint32_t after = 0;
	size_t count;

	*generation = 0;
	do {
		if (generation_list(reader, after, LIST_PAGE, arena, &infos, &count, fault) != 0)
			return -1;
		for (size_t i = 0; i < count; i++)
			if (slice_equal(infos[i].domain, domain))
				*generation = infos[i].number;
		if (count != 0)
			after = infos[count - 1].number;
	} while (count == LIST_PAGE);
	return 0;
}

int
generation_active(struct store_reader *reader, struct slice domain, struct arena *arena, struct active *active,
		  struct fault *fault)
{
	struct json_value object;
	bool found;

	*active = (struct active){ 0 };
	if (read_object(reader, SLICE("active"), domain, arena, &object, &found, fault) != 0)
		return -1;
	if (found && (!number_member(object, "generation", &active->generation) ||
		      !number_member(object, "previous", &active->previous) ||
		      !number_member(object, "changes", &active->changes)))
		return bad_record(SLICE("active"), domain, fault);
	return 0;
}

int
generation_activations(struct store_reader *reader, struct slice domain, struct slice after, size_t limit,
		       struct arena *arena, struct activation_info **infos, size_t *count, struct fault *fault)
{
	struct slice space = SLICE("activation"), prefix = arena_format(arena, "%.*s/", SLICE_ARG(domain));
	struct record *records;
	size_t listed;

	*count = 0;
	if (prefix.data == NULL)
		return no_memory(fault);
	if (store_list_records(reader, space, after.size != 0 ? after : prefix, limit, arena, &records, &listed,
			       fault) != 0)
		return -1;
	*infos = arena_zero(arena, listed + 1, sizeof(**infos));
	if (*infos == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < listed && slice_starts_with(records[i].key, prefix); i++) {
		struct activation_info *info = &(*infos)[i];
		struct slice key = records[i].key;
		struct json_value object;
		uint64_t change;

		if (!slice_to_u64(slice_from(key.data + prefix.size, key.size - prefix.size), &change) ||
		    json_check(records[i].value, &object, fault) != 0 ||
		    !number_member(object, "generation", &info->generation))
			return bad_record(space, key, fault);
		info->key = key;
		info->change = (uint32_t)change;
		++*count;
	}
	return 0;
}

/* ---- forgetting ---- */

static int
remove_record(struct record_list *records, const char *space, struct slice key, struct arena *arena,
	      struct fault *fault)
{
	struct record_write record = {
		.rule = RECORD_REMOVE, .space = slice_text(space), .key = key, .value = SLICE("")
	};

	return add_record(records, record, arena, fault);
}

int
generation_forget(const struct generation_info *info, struct arena *arena, struct record_list *records,
		  struct fault *fault)
{
	const struct source_set set = { .domain = info->domain, .hash = info->hash };

	if (remove_record(records, "generation", number_text(arena, info->number), arena, fault) != 0)
		return -1;
	return remove_record(records, "generation_of", set_key(&set, arena), arena, fault);
}

int
generation_forget_source(const struct digest *hash, struct arena *arena, struct record_list *records,
			 struct fault *fault)
{
	return remove_record(records, "source", hex(arena, hash), arena, fault);
}

int
generation_forget_activation(struct slice key, struct arena *arena, struct record_list *records, struct fault *fault)
{
	return remove_record(records, "activation", arena_copy(arena, key), arena, fault);
}
