/* SPDX-License-Identifier: MIT */
/*
 * Promises: text to minor units and back without rounding. Decimals by ISO 4217; currencies that are not in the list
 * have two, as most do.
 */
#include "script/lua/money.h"

#define CODE(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))

unsigned
money_decimals(struct slice currency)
{
	if (currency.size != 3)
		return 2;
	const unsigned char *code = (const unsigned char *)currency.data;
	switch (CODE(code[0], code[1], code[2])) {
	case CODE('B', 'I', 'F'):
	case CODE('C', 'L', 'P'):
	case CODE('D', 'J', 'F'):
	case CODE('G', 'N', 'F'):
	case CODE('I', 'S', 'K'):
	case CODE('J', 'P', 'Y'):
	case CODE('K', 'M', 'F'):
	case CODE('K', 'R', 'W'):
	case CODE('P', 'Y', 'G'):
	case CODE('R', 'W', 'F'):
	case CODE('U', 'G', 'X'):
	case CODE('U', 'Y', 'I'):
	case CODE('V', 'N', 'D'):
	case CODE('V', 'U', 'V'):
	case CODE('X', 'A', 'F'):
	case CODE('X', 'O', 'F'):
	case CODE('X', 'P', 'F'):
		return 0;
	case CODE('B', 'H', 'D'):
	case CODE('I', 'Q', 'D'):
	case CODE('J', 'O', 'D'):
	case CODE('K', 'W', 'D'):
	case CODE('L', 'Y', 'D'):
	case CODE('O', 'M', 'R'):
	case CODE('T', 'N', 'D'):
		return 3;
	case CODE('C', 'L', 'F'):
	case CODE('U', 'Y', 'W'):
		return 4;
	default:
		return 2;
	}
}

enum money_result
money_parse(struct slice text, unsigned decimals, int64_t *minor)
{
	bool negative = text.size > 0 && text.data[0] == '-', point = false;
	uint64_t limit = (uint64_t)INT64_MAX + negative, value = 0;
	unsigned after = 0, before = 0;
	for (size_t i = negative; i < text.size; i++) {
		char c = text.data[i];
		if (c == '.' && !point && before > 0) {
			point = true;
			continue;
		}
		if (c < '0' || c > '9')
			return MONEY_SYNTAX;
		if (point && after == decimals)
			return MONEY_DECIMALS;
		if (value > (limit - (uint64_t)(c - '0')) / 10)
			return MONEY_RANGE;
		value = value * 10 + (uint64_t)(c - '0');
		before += !point;
		after += point;
	}
	if (before == 0 || (point && text.data[text.size - 1] == '.'))
		return MONEY_SYNTAX;
	for (; after < decimals; after++) {
		if (value > limit / 10)
			return MONEY_RANGE;
		value *= 10;
	}
	*minor = negative ? (int64_t)(0 - value) : (int64_t)value;
	return MONEY_OK;
}

size_t
money_format(int64_t minor, unsigned decimals, char text[MONEY_TEXT_SIZE])
{
	char digits[MONEY_TEXT_SIZE];
	uint64_t rest = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
	size_t count = 0, size = 0;
	do {
		digits[count++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0 || count <= decimals);
	if (minor < 0)
		text[size++] = '-';
	while (count > 0) {
		text[size++] = digits[--count];
		if (count == decimals && decimals > 0)
			text[size++] = '.';
	}
	return size;
}
