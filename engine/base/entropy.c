/* SPDX-License-Identifier: MIT */
/* The system's randomness, fetched 256 bytes at a time per thread; and a seeded sequence (xoshiro256**) for tests. */
#include "base/entropy.h"

#include <string.h>
#include <sys/random.h>

#include "base/fault.h"

static void
fetch(void *bytes, size_t size)
{
	/* Up to 256 bytes getrandom gives whole and uninterrupted once the pool is initialised. */
	must(getrandom(bytes, size, 0) == (ssize_t)size);
}

static void
real_fill(void *self, void *bytes, size_t size)
{
	static _Thread_local unsigned char pool[256];
	static _Thread_local size_t left;
	unsigned char *to = bytes;

	(void)self;
	while (size != 0) {
		if (left == 0) {
			fetch(pool, sizeof(pool));
			left = sizeof(pool);
		}
		size_t part = size < left ? size : left;
		memcpy(to, pool + sizeof(pool) - left, part);
		left -= part;
		to += part;
		size -= part;
	}
}

const struct entropy *
entropy_real(void)
{
	static const struct entropy real = { real_fill, NULL };

	return &real;
}

static uint64_t
rotate(uint64_t word, int by)
{
	return (word << by) | (word >> (64 - by));
}

static uint64_t
next_word(uint64_t s[4])
{
	uint64_t result = rotate(s[1] * 5, 7) * 9, shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate(s[3], 45);
	return result;
}

static void
seeded_fill(void *self, void *bytes, size_t size)
{
	struct entropy_seeded *seeded = self;
	unsigned char *to = bytes;

	while (size != 0) {
		uint64_t word = next_word(seeded->state);
		size_t part = size < sizeof(word) ? size : sizeof(word);
		memcpy(to, &word, part);
		to += part;
		size -= part;
	}
}

void
entropy_seed(struct entropy_seeded *seeded, uint64_t seed)
{
	seeded->entropy = (struct entropy){ seeded_fill, seeded };
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15u;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		seeded->state[i] = z ^ (z >> 31);
	}
}
