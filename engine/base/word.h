/* SPDX-License-Identifier: MIT */
/* Eight-byte words, little-endian. Written out without loops: that is the form compilers make one load or store of. */
#ifndef MOONLOG_BASE_WORD_H
#define MOONLOG_BASE_WORD_H

#include <stdint.h>

static inline uint64_t
word_get(const void *from)
{
	const uint8_t *b = from;

	return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
	       (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 | (uint64_t)b[7] << 56;
}

static inline void
word_put(void *to, uint64_t word)
{
	uint8_t *b = to;

	b[0] = (uint8_t)word;
	b[1] = (uint8_t)(word >> 8);
	b[2] = (uint8_t)(word >> 16);
	b[3] = (uint8_t)(word >> 24);
	b[4] = (uint8_t)(word >> 32);
	b[5] = (uint8_t)(word >> 40);
	b[6] = (uint8_t)(word >> 48);
	b[7] = (uint8_t)(word >> 56);
}

#endif
