/* SPDX-License-Identifier: MIT */
/*
 * Blocks of a sealed segment's index: sorted runs of about 2 kB, one row each. Every block has a check over its key and
 * bytes and names the key of the next one, so a wrong or a missing block is noticed by whoever looks into it.
 *
 * Hash block (kind, segment, prefix): items of a 48-bit hash prefix and a reference. Stream block (segment, stream,
 * version): items of a stream, its first version here, and the offsets of its events in the segment.
 * The first block of a run has the key 0.
 */
#ifndef MOONLOG_STORE_SQLITE_BLOCK_H
#define MOONLOG_STORE_SQLITE_BLOCK_H

#include "base/buf.h"
#include "store/sqlite/live.h"

#define BLOCK_TARGET 1900
/* The number of a block of streams: its segment's, shifted by so many bits, and its own in the segment. As SQL too. */
#define STREAM_BLOCK_BITS  20
#define STREAM_BLOCK_SHIFT "<< 20"

enum hash_kind { HASH_NAMES, HASH_COMMANDS };

struct hash_item {
	uint64_t prefix;
	uint64_t reference;
};

struct block_key {
	uint64_t segment;
	uint64_t major; /* hash blocks: kind; stream blocks: stream */
	uint64_t minor; /* hash blocks: prefix; stream blocks: first version */
};

struct block_reader {
	const uint8_t *at;
	const uint8_t *end;
	uint64_t next_major; /* key of the next block; 0, 0: this is the last */
	uint64_t next_minor;
	uint64_t base; /* prefix or stream of the item before */
};

struct stream_item {
	uint64_t stream;
	stream_version first_version;
	uint32_t count;
	uint32_t offset; /* of the next event, by block_next_offset */
	uint32_t left;
};

static inline uint64_t
block_prefix(uint64_t hash)
{
	return hash >> 16;
}

/* Begins a block; items follow; block_end puts the head before them: `out` is then the row's blob. */
void block_begin(struct buf *out);
void block_end(struct buf *out, const struct block_key *key, uint64_t next_major, uint64_t next_minor);
void block_put_hash(struct buf *out, uint64_t *base, struct hash_item item);
void block_put_stream(struct buf *out, uint64_t *base, uint64_t stream, stream_version first_version, uint32_t count);
void block_put_offset(struct buf *out, uint32_t delta);

/* All give false when the block is damaged. */
bool block_open(struct block_reader *reader, struct slice blob, const struct block_key *key);
bool block_next_hash(struct block_reader *reader, struct hash_item *item);
bool block_next_stream(struct block_reader *reader, struct stream_item *item);
bool block_next_offset(struct block_reader *reader, struct stream_item *item, uint32_t *offset);
/* Passes by an item's offsets. They are not looked at: block_open's check has seen their bytes. */
bool block_skip_offsets(struct block_reader *reader, struct stream_item *item);
static inline bool
block_done(const struct block_reader *reader)
{
	return reader->at == reader->end;
}

#endif
