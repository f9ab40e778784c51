/* SPDX-License-Identifier: MIT */
/*
 * A kind's items are gathered from the live segment's table, sorted bytewise (a radix sort: no stall in the path of a
 * commit), and cut into blocks. The first block of a kind has the key 0, so a lookup always finds one; each names the
 * next.
 * Fails: without memory.
 */
#include "store/sqlite/source.h"

#include <stdlib.h>

struct block_source {
	const struct live *live;
	enum block_kind kind;
	struct hash_item *items; /* streams: prefix = id, reference = slot */
	size_t count;
	size_t at;
	uint32_t *offsets; /* of the stream at `at`, oldest first */
	uint32_t offset_count;
	uint32_t offset_at;
	bool begun;
	bool done;
};

static void
sort_by_byte(const struct hash_item *from, struct hash_item *to, size_t count, unsigned shift, bool by_reference)
{
	size_t starts[257] = { 0 };

	for (size_t i = 0; i < count; i++)
		starts[(((by_reference ? from[i].reference : from[i].prefix) >> shift) & 255) + 1]++;
	for (size_t i = 0; i < 256; i++)
		starts[i + 1] += starts[i];
	for (size_t i = 0; i < count; i++)
		to[starts[((by_reference ? from[i].reference : from[i].prefix) >> shift) & 255]++] = from[i];
}

/* By prefix, equal ones by reference: eighteen and forty-eight bits. */
static int
sort_items(struct hash_item **items, size_t count)
{
	struct hash_item *from = *items, *to = malloc((count + 1) * sizeof(*to)), *swap;

	if (to == NULL)
		return -1;
	for (unsigned pass = 0; pass < 10; pass++) {
		sort_by_byte(from, to, count, pass < 4 ? pass * 8 : (pass - 4) * 8, pass < 4);
		swap = from;
		from = to;
		to = swap;
	}
	*items = from;
	free(to);
	return 0;
}

static size_t
item_count(const struct live *live, enum block_kind kind)
{
	return kind == BLOCK_NAMES ? live->born : kind == BLOCK_COMMANDS ? live->command_count : live->stream_count;
}

static struct hash_item
item_of(const struct index *index, const struct live *live, enum block_kind kind, size_t number)
{
	int64_t place;

	if (kind == BLOCK_NAMES)
		return (struct hash_item){ block_prefix(live->names[number].hash),
					   live->names[number].id - live->first_born };
	if (kind == BLOCK_STREAMS)
		return (struct hash_item){ live->streams[number].id, number };
	place = live->commands[number].place;
	return (struct hash_item){ block_prefix(index_hash_command(index, &live->commands[number].id)),
				   place > 0 ? ((uint64_t)place - live->first) * 2
					     : ((uint64_t)-place - live->first_bare) * 2 + 1 };
}

static void
gather(struct block_source *source, const struct index *index)
{
	source->count = item_count(source->live, source->kind);
	for (size_t i = 0; i < source->count; i++)
		source->items[i] = item_of(index, source->live, source->kind, i);
}

/* The events of the stream at `at`, oldest first. */
static void
load_offsets(struct block_source *source)
{
	const struct live_stream *stream = &source->live->streams[source->items[source->at].reference];
	uint32_t offset = stream->last;

	source->offset_count = stream->count;
	source->offset_at = 0;
	for (uint32_t i = stream->count; i-- > 0; offset = source->live->previous[offset])
		source->offsets[i] = offset;
}

struct block_source *
block_source_new(const struct index *index, const struct live *live, enum block_kind kind)
{
	struct block_source *source = calloc(1, sizeof(*source));

	if (source == NULL)
		return NULL;
	source->live = live;
	source->kind = kind;
	source->items = malloc((item_count(live, kind) + 1) * sizeof(*source->items));
	if (kind == BLOCK_STREAMS)
		source->offsets = malloc((live->entries + 1) * sizeof(*source->offsets));
	if (source->items == NULL || (kind == BLOCK_STREAMS && source->offsets == NULL)) {
		block_source_free(source);
		return NULL;
	}
	gather(source, index);
	if (sort_items(&source->items, source->count) != 0) {
		block_source_free(source);
		return NULL;
	}
	if (kind == BLOCK_STREAMS && source->count != 0)
		load_offsets(source);
	return source;
}

void
block_source_free(struct block_source *source)
{
	if (source == NULL)
		return;
	free(source->items);
	free(source->offsets);
	free(source);
}

static void
put_hashes(struct block_source *source, struct buf *out)
{
	uint64_t base = 0;

	while (source->at < source->count) {
		const struct hash_item *item = &source->items[source->at];

		/* Equal prefixes stay in one block: the key of the next must be a greater one. */
		if (out->size >= BLOCK_TARGET && item->prefix != base)
			return;
		block_put_hash(out, &base, *item);
		source->at++;
	}
}

/* Whole streams, or as much of a long one as fits. */
static void
put_streams(struct block_source *source, struct buf *out)
{
	uint64_t base = 0;

	while (source->at < source->count && out->size < BLOCK_TARGET) {
		const struct live_stream *stream = &source->live->streams[source->items[source->at].reference];
		uint32_t left = source->offset_count - source->offset_at, last = 0;
		uint32_t count = left > BLOCK_TARGET ? BLOCK_TARGET : left;

		block_put_stream(out, &base, stream->id, stream->first_version + source->offset_at, count);
		for (uint32_t i = 0; i < count; i++) {
			uint32_t offset = source->offsets[source->offset_at++];

			block_put_offset(out, offset - last);
			last = offset;
		}
		if (source->offset_at < source->offset_count)
			return;
		source->at++;
		if (source->at < source->count)
			load_offsets(source);
	}
}

/* The key of the block that begins here. */
static void
key_here(const struct block_source *source, struct block_key *key)
{
	if (source->kind != BLOCK_STREAMS) {
		key->major = source->kind == BLOCK_NAMES ? HASH_NAMES : HASH_COMMANDS;
		key->minor = source->items[source->at].prefix;
	} else {
		const struct live_stream *stream = &source->live->streams[source->items[source->at].reference];

		key->major = stream->id;
		key->minor = stream->first_version + source->offset_at;
	}
}

int
block_source_next(struct block_source *source, struct block_key *key, struct buf *out)
{
	struct block_key next = { 0 };

	if (source->done)
		return 0;
	*key = (struct block_key){ source->live->number, 0, 0 };
	if (source->begun)
		key_here(source, key);
	else if (source->kind == BLOCK_COMMANDS)
		key->major = HASH_COMMANDS;
	source->begun = true;
	block_begin(out);
	if (source->kind == BLOCK_STREAMS)
		put_streams(source, out);
	else
		put_hashes(source, out);
	source->done = source->at == source->count;
	if (!source->done)
		key_here(source, &next);
	block_end(out, key, next.major, next.minor);
	return out->failed ? -1 : 1;
}

/* Those of command ids come in few sizes, so that many of them share a shelf of the rack. */
static size_t
filter_bytes(const struct live *live, enum block_kind kind)
{
	size_t step = live->limit / 8 + 1;

	if (kind == BLOCK_COMMANDS)
		return (live->command_count / step + 1) * step * 20 / 8;
	return (size_t)(kind == BLOCK_NAMES ? live->born : live->stream_count) * 2 + 8;
}

int
block_bloom(const struct index *index, const struct live *live, enum block_kind kind, size_t bytes, struct bloom *bloom)
{
	if (bloom_init(bloom, bytes != 0 ? bytes : filter_bytes(live, kind)) != 0)
		return -1;
	for (size_t i = 0; i < item_count(live, kind); i++)
		bloom_add(bloom, kind == BLOCK_NAMES      ? live->names[i].hash
				 : kind == BLOCK_COMMANDS ? index_hash_command(index, &live->commands[i].id)
							  : index_hash_stream(index, live->streams[i].id));
	return 0;
}

struct segment_range
block_range(const struct live *live)
{
	return (struct segment_range){ live->number,
				       live->first,
				       live->first + live->entries - 1,
				       live->first_bare,
				       live->first_bare + live->bares - 1,
				       live->first_born,
				       live->first_born + live->born - 1,
				       live->last_time,
				       live->command_count };
}
