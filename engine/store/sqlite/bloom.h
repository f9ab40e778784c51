/* SPDX-License-Identifier: MIT */
/*
 * A Bloom filter over 64-bit hashes. With 16 bits a key one wrong yes in some 400 questions, with 20 in 2,000; never a
 * wrong no.
 */
#ifndef MOONLOG_STORE_SQLITE_BLOOM_H
#define MOONLOG_STORE_SQLITE_BLOOM_H

#include "base/slice.h"

#define BLOOM_PROBES 6 /* of stored filters too; a multiple of three */

struct bloom {
	uint8_t *bits; /* NULL: nothing is known, so every answer is yes */
	size_t size;   /* in bytes */
};

/* Empty, of so many bytes (not 0). Gives 0, or -1 without memory. */
int bloom_init(struct bloom *bloom, size_t bytes);
/* Double hashing: the k-th bit is first + k * step, scaled to the number of bits by a multiplication. */
static inline size_t
bloom_place(size_t bytes, uint64_t hash, unsigned probe)
{
	uint32_t step = (uint32_t)(hash >> 32) | 1, mixed = (uint32_t)hash + probe * step;

	return (size_t)(((uint64_t)mixed * (bytes * 8)) >> 32);
}

/* A copy of stored bytes. */
int bloom_load(struct bloom *bloom, struct slice bytes);
void bloom_fini(struct bloom *bloom);
void bloom_add(struct bloom *bloom, uint64_t hash);
bool bloom_maybe(const struct bloom *bloom, uint64_t hash);

#endif
