/* SPDX-License-Identifier: MIT */
/* Comparing, parsing and hashing borrowed bytes. Nothing here allocates or fails. */
#include "base/slice.h"

#include "base/word.h"

int
slice_compare(struct slice a, struct slice b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common != 0 ? memcmp(a.data, b.data, common) : 0;

	if (order != 0)
		return order;
	return a.size < b.size ? -1 : a.size > b.size;
}

bool
slice_starts_with(struct slice text, struct slice prefix)
{
	return text.size >= prefix.size && (prefix.size == 0 || memcmp(text.data, prefix.data, prefix.size) == 0);
}

bool
slice_to_u64(struct slice text, uint64_t *number)
{
	uint64_t value = 0;

	if (text.size == 0 || text.size > 20)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

size_t
slice_put_u64(char *to, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	memcpy(to, digits + at, sizeof(digits) - at);
	return sizeof(digits) - at;
}

bool
slice_to_i64(struct slice text, int64_t *number)
{
	bool negative = text.size != 0 && text.data[0] == '-';
	bool sign = negative || (text.size != 0 && text.data[0] == '+');
	uint64_t value;

	if (text.size == 0 || !slice_to_u64(slice_from(text.data + sign, text.size - sign), &value))
		return false;
	if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*number = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t
short_word(const char *bytes, size_t size)
{
	uint64_t word = 0;

	for (size_t i = 0; i < size; i++)
		word |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
	return word;
}

/*
 * The store's index keeps these values, so the algorithm is frozen: h = seed ^ size * K0; for each 8 bytes, read
 * little-endian (the rest zero-filled): h = fold(h ^ word ^ K1, K2); at the end fold(h ^ K0, K1), where fold(a, b) is
 * the exclusive or of the halves of the 128-bit product.
 */
uint64_t
slice_hash(struct slice text, uint64_t seed)
{
	const uint64_t k0 = 0xa0761d6478bd642fu, k1 = 0xe7037ed1a0b428dbu, k2 = 0x8ebc6af09c88c6e3u;
	uint64_t hash = seed ^ (uint64_t)text.size * k0;
	size_t at = 0;

	for (; at + 8 <= text.size; at += 8)
		hash = mix(hash ^ word_get(text.data + at) ^ k1, k2);
	if (at < text.size)
		hash = mix(hash ^ short_word(text.data + at, text.size - at) ^ k1, k2);
	return mix(hash ^ k0, k1);
}
