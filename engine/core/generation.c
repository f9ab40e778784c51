/* SPDX-License-Identifier: MIT */
/*
 * Generations: which sources decided an event stays answerable for ever, because the store holds them [I8].
 *
 *   space "source"         <hash>            -> bytes of one file
 *   space "generation"     <number, 10 digits> -> manifest: domain, hash of the set, path and hash of each file
 *   space "generation_of"  <domain>/<hash>   -> number
 *   space "generation_last" "last"           -> the highest number given
 *
 * One commit writes all four, so a number never exists without its sources. A set seen before keeps its number.
 */
#include "core/domain.h"

#include <stdio.h>

#include "base/json.h"

#define NUMBER_SIZE 11

static void
number_text(uint32_t number, char text[NUMBER_SIZE])
{
	snprintf(text, NUMBER_SIZE, "%010u", number);
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
		return fault_set(fault, FAULT_CORRUPT, "bad_generation", "record %.*s/%.*s is no generation",
				 SLICE_ARG(space), SLICE_ARG(key));
	*number = (uint32_t)wide;
	return 0;
}

/* The manifest, as JSON. Paths hold no character that needs more than json_quote. */
static struct slice
manifest(const struct source_set *sources, struct arena *arena)
{
	struct buf buf;
	struct slice text;

	buf_init(&buf, (size_t)4 << 20);
	buf_text(&buf, "{\"domain\":");
	json_quote(&buf, sources->domain);
	buf_text(&buf, ",\"hash\":\"");
	buf_hex(&buf, sources->hash.bytes, DIGEST_SIZE);
	buf_text(&buf, "\",\"sources\":[");
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

static int
commit_records(struct store *store, const struct record_write *records, size_t count, struct arena *arena,
	       struct fault *fault)
{
	struct append append = { .records = records, .record_count = count, .arena = arena };
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

static int
make(struct store *store, const struct source_set *sources, struct slice key, uint32_t before, struct arena *arena,
     struct fault *fault)
{
	struct record_write *records = arena_zero(arena, sources->count + 3, sizeof(*records));
	char last[NUMBER_SIZE], next[NUMBER_SIZE];
	size_t count = 0;

	if (records == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a generation");
	number_text(before, last);
	number_text(before + 1, next);
	for (size_t i = 0; i < sources->count; i++)
		records[count++] = (struct record_write){ .rule = RECORD_PUT,
							  .space = SLICE("source"),
							  .key = hex(arena, &sources->items[i].hash),
							  .value = sources->items[i].bytes };
	records[count++] = (struct record_write){ .rule = RECORD_PUT,
						  .space = SLICE("generation"),
						  .key = slice_text(next),
						  .value = manifest(sources, arena) };
	records[count++] = (struct record_write){
		.rule = RECORD_PUT, .space = SLICE("generation_of"), .key = key, .value = slice_text(next)
	};
	records[count++] = (struct record_write){ .rule = before == 0 ? RECORD_ABSENT : RECORD_EQUALS,
						  .space = SLICE("generation_last"),
						  .key = SLICE("last"),
						  .value = slice_text(next),
						  .before = slice_text(last) };
	for (size_t i = 0; i < count; i++)
		if (records[i].key.data == NULL || records[i].value.data == NULL)
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a generation");
	return commit_records(store, records, count, arena, fault);
}

int
generation_find_or_make(struct store *store, const struct source_set *sources, uint32_t *generation,
			struct fault *fault)
{
	struct store_reader *reader = NULL;
	struct arena arena;
	struct slice key;
	uint32_t last;
	int result = -1;

	arena_init(&arena, (size_t)256 << 20);
	key = arena_format(&arena, "%.*s/%.*s", SLICE_ARG(sources->domain), SLICE_ARG(hex(&arena, &sources->hash)));
	if (key.data == NULL) {
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for a generation");
		goto out;
	}
	if (store_reader_open(store, &reader, fault) != 0)
		goto out;
	if (read_number(reader, SLICE("generation_of"), key, &arena, generation, fault) != 0)
		goto out;
	if (*generation == 0) {
		if (read_number(reader, SLICE("generation_last"), SLICE("last"), &arena, &last, fault) != 0 ||
		    make(store, sources, key, last, &arena, fault) != 0)
			goto out;
		*generation = last + 1;
	}
	result = 0;
out:
	store_reader_close(reader);
	arena_fini(&arena);
	return result;
}
