/* SPDX-License-Identifier: MIT */
/*
 * Numbers of JSON, read exactly: integers are 64 bits or refused; a float is the nearest double. Their other half is
 * base/json_number.c.
 *
 * Most numbers take a short cut that is exact by arithmetic: a mantissa below 2^53 times or divided by a power of ten
 * up to 22 is rounded once. The rest goes through the C library, in the locale of the machine's calls.
 */
#include <math.h>
#include <stdlib.h>

#include "script/lua/json_reader.h"

#define EXACT_MANTISSA ((uint64_t)1 << 53)
#define EXACT_POWER    22
#define SAFE_DIGITS    18 /* so many fit whatever they are: no division to find out */

static const double powers[EXACT_POWER + 1] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
						1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *
skip_digits(const char *at, const char *end)
{
	while (at < end && is_digit(*at))
		at++;
	return at;
}

bool
json_reader_number(struct json_reader *reader, struct slice *raw, bool *integral)
{
	const char *begin = reader->at, *at = begin, *end = reader->end, *digits;
	if (at < end && *at == '-')
		at++;
	digits = at;
	at = skip_digits(at, end);
	if (at == digits)
		return json_reader_fail(reader, begin, at == begin ? "a value expected" : "a digit expected after '-'");
	if (*digits == '0' && at - digits > 1)
		return json_reader_fail(reader, begin, "a number may not begin with 0");
	*integral = true;
	if (at < end && *at == '.') {
		*integral = false;
		digits = ++at;
		at = skip_digits(at, end);
		if (at == digits)
			return json_reader_fail(reader, at, "a digit expected after '.'");
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		*integral = false;
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		digits = at;
		at = skip_digits(at, end);
		if (at == digits)
			return json_reader_fail(reader, at, "a digit expected in the exponent");
	}
	if ((size_t)(at - begin) > reader->limits.number_bytes)
		return json_reader_fail_limit(reader, begin, "the number is too long");
	*raw = slice_from(begin, (size_t)(at - begin));
	reader->at = at;
	return true;
}

bool
json_number_integer(struct slice raw, int64_t *integer)
{
	bool negative = raw.size > 0 && raw.data[0] == '-';
	uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, value = 0;
	for (size_t i = negative; i < raw.size; i++) {
		uint64_t digit = (uint64_t)(raw.data[i] - '0');
		if (i >= SAFE_DIGITS && value > (limit - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*integer = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

/* The digits as one integer below 2^53 and the power of ten beside it; false when they do not fit. */
static bool
split_number(const char *at, const char *end, uint64_t *mantissa, int *power)
{
	int point = 0, exponent = 0;
	bool seen = false, negative = false;
	*mantissa = 0;
	for (; at < end && (is_digit(*at) || *at == '.'); at++) {
		if (*at == '.') {
			seen = true;
			continue;
		}
		*mantissa = *mantissa * 10 + (uint64_t)(*at - '0');
		if (*mantissa > EXACT_MANTISSA)
			return false;
		point += seen;
	}
	if (at < end) {
		at++;
		negative = *at == '-';
		at += *at == '-' || *at == '+';
		for (; at < end && exponent < 1000; at++)
			exponent = exponent * 10 + (*at - '0');
	}
	*power = (negative ? -exponent : exponent) - point;
	return *power >= -EXACT_POWER && *power <= EXACT_POWER;
}

bool
json_number_float(struct slice raw, double *number)
{
	bool negative = raw.size > 0 && raw.data[0] == '-';
	uint64_t mantissa;
	int power;
	if (split_number(raw.data + negative, raw.data + raw.size, &mantissa, &power)) {
		double value = power < 0 ? (double)mantissa / powers[-power] : (double)mantissa * powers[power];
		*number = negative ? -value : value;
		return true;
	}
	char text[512];
	if (raw.size >= sizeof text)
		return false;
	memcpy(text, raw.data, raw.size);
	text[raw.size] = '\0';
	*number = strtod(text, NULL);
	return isfinite(*number);
}
