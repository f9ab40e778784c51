/* SPDX-License-Identifier: MIT */
/* Randomness as a function table, so that a seeded simulation can replace it. Nobody else calls getrandom or rand. */
#ifndef MOONLOG_BASE_ENTROPY_H
#define MOONLOG_BASE_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

struct entropy {
	void (*fill)(void *self, void *bytes, size_t size);
	void *self;
};

/* The system's; safe from any thread, buffered per thread. */
const struct entropy *entropy_real(void);
/* A seeded sequence for tests and simulation. Owns nothing; `seeded` must outlive its use. One thread at a time. */
struct entropy_seeded {
	struct entropy entropy;
	uint64_t state[4];
};
void entropy_seed(struct entropy_seeded *seeded, uint64_t seed);

static inline void
entropy_fill(const struct entropy *entropy, void *bytes, size_t size)
{
	entropy->fill(entropy->self, bytes, size);
}

#endif
