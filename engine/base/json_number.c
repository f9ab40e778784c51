/* SPDX-License-Identifier: MIT */
/*
 * Numbers as JSON, exact: a float is the shortest text that reads back as it and always shows a point or an exponent.
 *
 * Most floats take a short cut that is exact by arithmetic: up to 15 digits name a double uniquely. The rest goes
 * through the C library.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/locale.h"

size_t
json_integer_text(int64_t integer, char text[JSON_NUMBER_SIZE])
{
	char digits[JSON_NUMBER_SIZE];
	size_t count = 0, size = 0;
	uint64_t rest = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
	do {
		digits[count++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (integer < 0)
		text[size++] = '-';
	while (count > 0)
		text[size++] = digits[--count];
	return size;
}

/* Up to six decimals and fifteen digits. Gives 0 when the number has more. */
static size_t
short_float_text(double number, char *text)
{
	double scaled = number * 1e6;
	size_t size = 0;
	if (!(scaled < 1e15) || scaled != floor(scaled) || scaled / 1e6 != number)
		return 0;
	uint64_t whole = (uint64_t)scaled;
	uint64_t decimals = whole % 1000000;
	size = json_integer_text((int64_t)(whole / 1000000), text);
	text[size++] = '.';
	for (uint64_t unit = 100000; unit > 0; unit /= 10) {
		text[size++] = (char)('0' + decimals / unit);
		decimals %= unit;
		if (decimals == 0)
			break;
	}
	return size;
}

/* "1e+07" -> "1e7"; a text without point and exponent gets ".0". */
static size_t
tidy_float(char *text)
{
	char *e = strchr(text, 'e');
	if (e == NULL) {
		if (strchr(text, '.') == NULL)
			strcat(text, ".0");
		return strlen(text);
	}
	char *from = e + 1, *to = e + 1;
	if (*from == '-')
		*to++ = *from++;
	else if (*from == '+')
		from++;
	while (*from == '0' && from[1] != '\0')
		from++;
	while (*from != '\0')
		*to++ = *from++;
	*to = '\0';
	return (size_t)(to - text);
}

size_t
json_float_text(double number, char text[JSON_NUMBER_SIZE])
{
	size_t size = 0;
	if (signbit(number)) {
		text[size++] = '-';
		number = -number;
	}
	size_t shorter = short_float_text(number, text + size);
	if (shorter > 0)
		return size + shorter;
	locale_t before = locale_enter();
	/* 15 digits hold whatever a shorter text holds, but for numbers too small to have that many */
	for (int digits = number < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
		snprintf(text + size, JSON_NUMBER_SIZE - size, "%.*g", digits, number);
		if (digits == 17 || strtod(text + size, NULL) == number)
			break;
	}
	locale_leave(before);
	return size + tidy_float(text + size);
}

void
json_real(struct buf *out, double number)
{
	char text[JSON_NUMBER_SIZE];
	buf_add(out, slice_from(text, json_float_text(number, text)));
}
