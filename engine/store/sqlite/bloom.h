/* SPDX-License-Identifier: MIT */
/* A Bloom filter over 64-bit hashes: 16 bits a key, one wrong yes in some 400 questions, never a wrong no. */
#ifndef MOONLOG_STORE_SQLITE_BLOOM_H
#define MOONLOG_STORE_SQLITE_BLOOM_H

#include "base/slice.h"

struct bloom {
	uint8_t *bits; /* NULL: nothing is known, so every answer is yes */
	size_t size;   /* in bytes */
};

/* Empty. bytes 0: room for `keys`; else as large as one that an older program made. Gives 0, or -1 without memory. */
int bloom_init(struct bloom *bloom, size_t keys, size_t bytes);
/* A copy of stored bytes. */
int bloom_load(struct bloom *bloom, struct slice bytes);
void bloom_fini(struct bloom *bloom);
void bloom_add(struct bloom *bloom, uint64_t hash);
bool bloom_maybe(const struct bloom *bloom, uint64_t hash);

#endif
