/* SPDX-License-Identifier: MIT */
/* Without libFuzzer a target mutates seeds by itself: bounded time, repeatable by its seed. */
#ifndef MOONLOG_TESTS_FUZZ_MUTATE_H
#define MOONLOG_TESTS_FUZZ_MUTATE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MUTATE_MAX ((size_t)4096)

struct mutate_seed {
	const char *data;
	size_t size;
};

/* A seed from a literal; may hold NUL bytes. */
#define SEED(text)                                                                                                     \
	{                                                                                                              \
		text, sizeof(text) - 1                                                                                 \
	}

static inline uint64_t
mutate_random(uint64_t *state)
{
	uint64_t x = *state;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* One change: a mark, a byte, a piece doubled, moved or cut, or another seed put in. */
static inline size_t
mutate_once(uint8_t *input, size_t size, const char *marks, const struct mutate_seed *other, uint64_t *random)
{
	size_t at = size > 0 ? (size_t)(mutate_random(random) % size) : 0;
	size_t run = 1 + (size_t)(mutate_random(random) % 8);
	if (run > size - at)
		run = size - at;
	switch (mutate_random(random) % 6) {
	case 0:
	case 1:
		if (size > 0)
			input[at] = (uint8_t)marks[mutate_random(random) % strlen(marks)];
		return size;
	case 2:
		if (size > 0)
			input[at] = (uint8_t)mutate_random(random);
		return size;
	case 3:
		memmove(input + at, input + at + run, size - at - run);
		return size - run;
	case 4:
		if (size + run > MUTATE_MAX)
			return size;
		memmove(input + at + run, input + at, size - at);
		return size + run;
	default:
		if (size + other->size > MUTATE_MAX)
			return size;
		memmove(input + at + other->size, input + at, size - at);
		memcpy(input + at, other->data, other->size);
		return size + other->size;
	}
}

/* TARGET [SECONDS [SEED]] */
static inline int
mutate_main(int argc, char **argv, const struct mutate_seed *seeds, size_t seed_count, const char *marks,
	    int (*one)(const uint8_t *data, size_t size))
{
	static uint8_t input[MUTATE_MAX * 2];
	long seconds = argc > 1 ? atol(argv[1]) : 3;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 20261121, random = seed * 2862933555777941757U + 1;
	unsigned long runs = 0;
	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (size_t i = 0; i < seed_count; i++)
		one((const uint8_t *)seeds[i].data, seeds[i].size);
	do {
		for (int i = 0; i < 500; i++, runs++) {
			const struct mutate_seed *first = &seeds[mutate_random(&random) % seed_count];
			size_t size = first->size;
			memcpy(input, first->data, size);
			for (uint64_t n = mutate_random(&random) % 8; n > 0; n--)
				size = mutate_once(input, size, marks, &seeds[mutate_random(&random) % seed_count],
						   &random);
			one(input, size);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec < seconds);
	printf("%lu inputs, seed %llu, nothing found\n", runs, (unsigned long long)seed);
	return 0;
}

#endif
