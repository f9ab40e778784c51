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

/*
 * The high bit of each byte that is a quote, a backslash, a control or above 127: what JSON text is looked through for,
 * eight bytes at a time. The lowest bit set is exact, those above it may be set by a borrow.
 */
static inline uint64_t
word_unplain(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
	uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';

	return (word | (word - ones * ' ') | (quote - ones) | (backslash - ones)) & highs;
}

/* To the first such byte of a text, or to its end. */
static inline const char *
word_skip_plain(const char *at, const char *end)
{
	for (; end - at >= 8; at += 8) {
		uint64_t odd = word_unplain(word_get(at));

		if (odd != 0)
			return at + (unsigned)__builtin_ctzll(odd) / 8;
	}
	while (at < end && (unsigned char)*at >= ' ' && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\')
		at++;
	return at;
}

/* Four bytes as eight hexadecimal digits, as they stand in the word's bytes. */
static inline uint64_t
word_hex(const uint8_t four[4])
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t x = (uint64_t)four[0] | (uint64_t)four[1] << 16 | (uint64_t)four[2] << 32 | (uint64_t)four[3] << 48;

	/* High half of each byte first, then the low one. */
	x = (x >> 4 & 0x000f000f000f000fu) | (x & 0x000f000f000f000fu) << 8;
	/* 10 to 15 carry into the fifth bit when 6 is added; they want 'a' - 10 in the place of '0'. */
	return x + ones * '0' + ((x + ones * 6) >> 4 & ones) * ('a' - 10 - '0');
}

#endif
