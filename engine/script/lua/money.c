/* SPDX-License-Identifier: MIT */
/*
 * Promises: text to minor units and back without rounding. Decimals by ISO 4217; currencies that are not in the list
 * have two, as most do.
 */
#include "script/lua/money.h"

static const struct {
	char code[4];
	unsigned decimals;
} exceptions[] = {
	{ "BHD", 3 }, { "BIF", 0 }, { "CLF", 4 }, { "CLP", 0 }, { "DJF", 0 }, { "GNF", 0 }, { "IQD", 3 },
	{ "ISK", 0 }, { "JOD", 3 }, { "JPY", 0 }, { "KMF", 0 }, { "KRW", 0 }, { "KWD", 3 }, { "LYD", 3 },
	{ "OMR", 3 }, { "PYG", 0 }, { "RWF", 0 }, { "TND", 3 }, { "UGX", 0 }, { "UYI", 0 }, { "UYW", 4 },
	{ "VND", 0 }, { "VUV", 0 }, { "XAF", 0 }, { "XOF", 0 }, { "XPF", 0 },
};

unsigned
money_decimals(struct slice currency)
{
	for (size_t i = 0; i < countof(exceptions); i++)
		if (slice_equal(currency, slice_text(exceptions[i].code)))
			return exceptions[i].decimals;
	return 2;
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
