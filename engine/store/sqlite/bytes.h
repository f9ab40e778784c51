/* SPDX-License-Identifier: MIT */
/* Numbers in bytes: little-endian words and variable-length integers (seven bits a byte, low ones first). */
#ifndef MOONLOG_STORE_SQLITE_BYTES_H
#define MOONLOG_STORE_SQLITE_BYTES_H

#include "base/slice.h"
#include "base/word.h"

#define VARINT_MAX 10

static inline void
bytes_put_u32(uint8_t *to, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(number >> (8 * i));
}

static inline uint32_t
bytes_get_u32(const uint8_t *from)
{
	uint32_t number = 0;

	for (int i = 0; i < 4; i++)
		number |= (uint32_t)from[i] << (8 * i);
	return number;
}

static inline void
bytes_put_u64(uint8_t *to, uint64_t number)
{
	word_put(to, number);
}

static inline uint64_t
bytes_get_u64(const uint8_t *from)
{
	return word_get(from);
}

/* Gives the byte after what it wrote; at most VARINT_MAX bytes. */
static inline uint8_t *
bytes_put_varint(uint8_t *to, uint64_t number)
{
	while (number >= 0x80) {
		*to++ = (uint8_t)(number | 0x80);
		number >>= 7;
	}
	*to++ = (uint8_t)number;
	return to;
}

/* Gives the byte after what it read, or NULL when the bytes end too early or the number is too large. */
static inline const uint8_t *
bytes_get_varint(const uint8_t *from, const uint8_t *end, uint64_t *number)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && from < end; shift += 7) {
		uint8_t byte = *from++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*number = value;
			return from;
		}
	}
	return NULL;
}

#endif
