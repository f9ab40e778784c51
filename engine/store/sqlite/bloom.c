/* SPDX-License-Identifier: MIT */
#include "store/sqlite/bloom.h"

#include <stdlib.h>

int
bloom_init(struct bloom *bloom, size_t bytes)
{
	bloom->size = bytes;
	bloom->bits = calloc(1, bloom->size);
	return bloom->bits != NULL ? 0 : -1;
}

int
bloom_load(struct bloom *bloom, struct slice bytes)
{
	*bloom = (struct bloom){ NULL, 0 };
	if (bytes.size == 0)
		return 0;
	bloom->bits = malloc(bytes.size);
	if (bloom->bits == NULL)
		return -1;
	memcpy(bloom->bits, bytes.data, bytes.size);
	bloom->size = bytes.size;
	return 0;
}

void
bloom_fini(struct bloom *bloom)
{
	free(bloom->bits);
	*bloom = (struct bloom){ NULL, 0 };
}

void
bloom_add(struct bloom *bloom, uint64_t hash)
{
	for (unsigned i = 0; i < BLOOM_PROBES; i++) {
		size_t bit = bloom_place(bloom->size, hash, i);

		bloom->bits[bit / 8] |= (uint8_t)(1u << (bit % 8));
	}
}

static inline unsigned
probe(const struct bloom *bloom, uint64_t hash, unsigned number)
{
	size_t bit = bloom_place(bloom->size, hash, number);

	return (unsigned)bloom->bits[bit / 8] >> (bit % 8) & 1;
}

/* Three at a time: a question to each of many filters costs its wrong guesses at branches more than its looks. */
bool
bloom_maybe(const struct bloom *bloom, uint64_t hash)
{
	if (bloom->bits == NULL)
		return true;
	for (unsigned i = 0; i < BLOOM_PROBES; i += 3)
		if ((probe(bloom, hash, i) & probe(bloom, hash, i + 1) & probe(bloom, hash, i + 2)) == 0)
			return false;
	return true;
}
