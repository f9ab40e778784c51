/* SPDX-License-Identifier: MIT */
/*
 * The rules that decided what is imported: files under their hash, generations under the number that this store gives
 * them. Both are written at once, since entries behind them name the number.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/domain.h"
#include "daemon/import.h"

static int
bad(const struct import *import, const char *reason, struct fault *fault)
{
	return fault_set(fault, FAULT_INPUT, "bad_import", "line %llu: %s", (unsigned long long)import->line, reason);
}

static void
hex_of(const struct digest *digest, char hex[2 * DIGEST_SIZE + 1])
{
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest->bytes[i]);
}

/* Kept under its hash whether or not a generation will want it; the same again changes nothing. */
int
import_source(struct import *import, const struct exchange_line *line, struct fault *fault)
{
	char hex[2 * DIGEST_SIZE + 1];
	struct digest digest;

	digest_of(line->text, &digest);
	if (memcmp(&digest, &line->hash, sizeof(digest)) != 0)
		return bad(import, "the file of rules does not give its hash", fault);
	if (import->store == NULL)
		return 0;
	if (import_flush(import, &import->next, fault) != 0)
		return -1;
	hex_of(&digest, hex);
	struct record_write record = {
		.rule = RECORD_PUT, .space = SLICE("source"), .key = slice_text(hex), .value = line->text
	};
	struct append append = { .records = &record, .record_count = 1, .arena = &import->arena };
	struct append *group[] = { &append };
	if (store_commit(import->store, group, 1, fault) != COMMIT_DONE)
		return -1;
	if (append.answer != APPEND_DONE) {
		*fault = append.fault;
		return -1;
	}
	arena_clear(&import->arena);
	return 0;
}

static bool
take_hash(struct slice hex, struct digest *digest)
{
	if (hex.size != (size_t)2 * DIGEST_SIZE)
		return false;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		char pair[3] = { hex.data[2 * i], hex.data[2 * i + 1], '\0' }, *end;
		digest->bytes[i] = (uint8_t)strtoul(pair, &end, 16);
		if (*end != '\0')
			return false;
	}
	return true;
}

static struct slice
text_of(struct json_value object, const char *key)
{
	struct json_value member;

	if (object.kind != JSON_OBJECT || !json_member(object, slice_text(key), &member) || member.kind != JSON_STRING)
		return SLICE_NONE;
	return slice_from(member.raw.data + 1, member.raw.size - 2);
}

static int
read_sources(struct import *import, const struct exchange_line *line, struct source_set *set, struct fault *fault)
{
	struct source_file *items = arena_zero(&import->arena, DOMAIN_FILES_MAX, sizeof(*items));
	struct json_value item;
	struct json_iter iter;
	struct slice key;

	if (items == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a generation");
	*set = (struct source_set){ .domain = line->domain, .items = items, .hash = line->hash };
	json_iter(&iter, line->sources);
	while (json_next(&iter, &key, &item)) {
		struct source_file *source = &items[set->count];
		struct slice hex = text_of(item, "hash");
		bool found = false;
		source->path = text_of(item, "path");
		if (set->count++ == DOMAIN_FILES_MAX - 1 || source->path.size == 0 || !take_hash(hex, &source->hash))
			return bad(import, "a generation's list of files cannot be read", fault);
		if (store_read_record(import->reader, SLICE("source"), hex, &import->arena, &source->bytes, &found,
				      fault) != 0)
			return -1;
		if (!found)
			return bad(import, "a file of rules that a generation needs did not come", fault);
	}
	return 0;
}

int
import_rules(struct import *import, const struct exchange_line *line, struct fault *fault)
{
	struct import_generation *wider;
	struct source_set set;

	if (line->number == 0 || line->number > UINT32_MAX || !stream_word_ok(line->domain))
		return bad(import, "no generation can be like this", fault);
	if (import->store == NULL)
		return 0;
	if (import_flush(import, &import->next, fault) != 0)
		return -1;
	wider = realloc(import->generations, (import->generation_count + 1) * sizeof(*wider));
	if (wider == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a generation");
	import->generations = wider;
	wider += import->generation_count;
	wider->from = (uint32_t)line->number;
	if (read_sources(import, line, &set, fault) != 0 ||
	    generation_find_or_make(import->store, &set, &wider->to, fault) != 0)
		return -1;
	import->generation_count++;
	arena_clear(&import->arena);
	return 0;
}
