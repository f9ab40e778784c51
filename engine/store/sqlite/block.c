/* SPDX-License-Identifier: MIT */
/*
 * Head of a block: check (4 bytes), key of the next block (2 x 8 bytes); then items of variable-length integers, each
 * relative to the one before.
 * Fails: reading gives false on anything that does not fit; the caller then believes the log.
 */
#include "store/sqlite/block.h"

#include "store/sqlite/bytes.h"

#define HEAD_SIZE 20

static uint32_t
check_of(const uint8_t *body, size_t size, const struct block_key *key)
{
	uint64_t seed = key->segment * 0x9e3779b97f4a7c15u ^ key->major * 0xc2b2ae3d27d4eb4fu ^ key->minor;

	return (uint32_t)slice_hash(slice_from(body, size), seed);
}

void
block_begin(struct buf *out)
{
	static const char head[HEAD_SIZE];

	buf_clear(out);
	buf_add(out, slice_from(head, sizeof(head)));
}

void
block_end(struct buf *out, const struct block_key *key, uint64_t next_major, uint64_t next_minor)
{
	uint8_t *bytes = (uint8_t *)out->data;

	if (out->failed)
		return;
	bytes_put_u64(bytes + 4, next_major);
	bytes_put_u64(bytes + 12, next_minor);
	bytes_put_u32(bytes, check_of(bytes + 4, out->size - 4, key));
}

static void
put(struct buf *out, uint64_t number)
{
	if (!buf_reserve(out, VARINT_MAX))
		return;
	out->size = (size_t)((char *)bytes_put_varint((uint8_t *)out->data + out->size, number) - out->data);
}

void
block_put_hash(struct buf *out, uint64_t *base, struct hash_item item)
{
	put(out, item.prefix - *base);
	put(out, item.reference);
	*base = item.prefix;
}

void
block_put_stream(struct buf *out, uint64_t *base, uint64_t stream, stream_version first_version, uint32_t count)
{
	put(out, stream - *base);
	put(out, first_version);
	put(out, count);
	*base = stream;
}

void
block_put_offset(struct buf *out, uint32_t delta)
{
	put(out, delta);
}

bool
block_open(struct block_reader *reader, struct slice blob, const struct block_key *key)
{
	const uint8_t *bytes = (const uint8_t *)blob.data;

	if (blob.size < HEAD_SIZE || bytes_get_u32(bytes) != check_of(bytes + 4, blob.size - 4, key))
		return false;
	*reader = (struct block_reader){ bytes + HEAD_SIZE, bytes + blob.size, bytes_get_u64(bytes + 4),
					 bytes_get_u64(bytes + 12), 0 };
	return true;
}

static bool
get(struct block_reader *reader, uint64_t *number)
{
	reader->at = bytes_get_varint(reader->at, reader->end, number);
	return reader->at != NULL;
}

bool
block_next_hash(struct block_reader *reader, struct hash_item *item)
{
	uint64_t delta;

	if (!get(reader, &delta) || !get(reader, &item->reference))
		return false;
	reader->base = item->prefix = reader->base + delta;
	return true;
}

bool
block_next_stream(struct block_reader *reader, struct stream_item *item)
{
	uint64_t delta, count;

	if (!get(reader, &delta) || !get(reader, &item->first_version) || !get(reader, &count) || count > SEGMENT_SIZE)
		return false;
	reader->base = item->stream = reader->base + delta;
	item->count = item->left = (uint32_t)count;
	item->offset = 0;
	return true;
}

bool
block_next_offset(struct block_reader *reader, struct stream_item *item, uint32_t *offset)
{
	uint64_t delta;

	if (item->left == 0 || !get(reader, &delta) || delta + item->offset >= SEGMENT_SIZE)
		return false;
	item->left--;
	*offset = item->offset += (uint32_t)delta;
	return true;
}

/* Eight bytes at a time: an offset ends with a byte below 0x80. */
bool
block_skip_offsets(struct block_reader *reader, struct stream_item *item)
{
	while (item->left != 0) {
		uint64_t ends;
		uint32_t count;

		if (reader->end - reader->at < 8) {
			uint32_t offset;

			if (!block_next_offset(reader, item, &offset))
				return false;
			continue;
		}
		ends = ~bytes_get_u64(reader->at) & 0x8080808080808080u;
		count = (uint32_t)((ends >> 7) * 0x0101010101010101u >> 56); /* of the bits */
		if (count < item->left) {
			item->left -= count;
			reader->at += 8;
			continue;
		}
		for (; item->left > 1; item->left--)
			ends &= ends - 1;
		reader->at += __builtin_ctzll(ends) / 8 + 1;
		item->left = 0;
	}
	return true;
}
