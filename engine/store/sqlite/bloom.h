/* SPDX-License-Identifier: MIT */
/* A Bloom filter over 64-bit hashes: about 12 bits a key, one wrong yes in some 300 questions, never a wrong no. */
#ifndef MOONLOG_STORE_SQLITE_BLOOM_H
#define MOONLOG_STORE_SQLITE_BLOOM_H

#include "base/slice.h"

struct bloom {
	uint8_t *bits; /* NULL: nothing is known, so every answer is yes */
	size_t size;   /* in bytes */
};

/* Room for `keys`. Gives 0, or -1 without memory. */
int bloom_init(struct bloom *bloom, size_t keys);
/* A copy of stored bytes. */
int bloom_load(struct bloom *bloom, struct slice bytes);
void bloom_fini(struct bloom *bloom);
void bloom_add(struct bloom *bloom, uint64_t hash);
bool bloom_maybe(const struct bloom *bloom, uint64_t hash);

#endif
