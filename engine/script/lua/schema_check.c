/* SPDX-License-Identifier: MIT */
/*
 * Promises: the same bounds, enums, patterns and formats hold for what comes in and for what rules give out. Lengths
 * count characters. A pattern has a budget of steps: a text that would use it up is refused.
 */
#include "script/lua/schema_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/id.h"
#include "script/lua/json_writer.h"
#include "script/lua/lib.h"
#include "script/lua/money.h"
#include "script/lua/pattern.h"

#define PATTERN_STEPS 100000

bool
schema_refuse(struct schema_trouble *trouble, const char *code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(trouble->reason, sizeof trouble->reason, format, args);
	va_end(args);
	lib_one_line(trouble->reason);
	snprintf(trouble->code, sizeof trouble->code, "%s", code);
	return false;
}

const char *
schema_wants(const struct schema *schema)
{
	static const char *const names[] = {
		[SCHEMA_ANY] = "a value",     [SCHEMA_STRING] = "a string",       [SCHEMA_INTEGER] = "an integer",
		[SCHEMA_NUMBER] = "a number", [SCHEMA_BOOLEAN] = "true or false", [SCHEMA_MONEY] = "an amount",
		[SCHEMA_TIME] = "a time",     [SCHEMA_UUID] = "a UUID",           [SCHEMA_OBJECT] = "an object",
		[SCHEMA_ARRAY] = "an array",  [SCHEMA_MAP] = "an object",
	};
	return names[schema->type];
}

static bool
refuse_choice(const struct schema *schema, struct schema_trouble *trouble)
{
	size_t used = 0;
	schema_refuse(trouble, "bad_value", "must be one of ");
	used = strlen(trouble->reason);
	for (size_t i = 0; i < schema->choice_count && used + 4 < sizeof trouble->reason; i++) {
		int wrote = snprintf(trouble->reason + used, sizeof trouble->reason - used, "%s%.*s", i > 0 ? ", " : "",
				     SLICE_ARG(schema->choices[i]));
		used += wrote > 0 ? (size_t)wrote : 0;
	}
	return false;
}

static bool
is_choice(const struct schema *schema, struct slice text)
{
	for (size_t i = 0; i < schema->choice_count; i++)
		if (slice_equal(schema->choices[i], text))
			return true;
	return schema->choice_count == 0;
}

static bool
is_email(struct slice text)
{
	const char *at = memchr(text.data, '@', text.size), *end = text.data + text.size;
	if (at == NULL || at == text.data || text.size > 254 || memchr(at + 1, '@', (size_t)(end - at) - 1) != NULL)
		return false;
	for (const char *c = text.data; c < end; c++)
		if ((unsigned char)*c <= ' ' || *c == 127)
			return false;
	const char *dot = memrchr(at, '.', (size_t)(end - at));
	return dot != NULL && dot > at + 1 && dot + 1 < end;
}

static bool
is_time(struct slice text, bool date_only)
{
	char copy[64];
	int64_t time;
	if (text.size >= sizeof copy || memchr(text.data, '\0', text.size) != NULL || (text.size == 10) != date_only)
		return false;
	memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	return clock_parse(copy, &time) == 0;
}

bool
schema_uuid(struct slice text, char canonical[37])
{
	struct id id;
	if (id_parse(text, &id) != 0)
		return false;
	id_format(&id, canonical);
	return true;
}

static bool
check_format(const struct schema *schema, struct slice text, struct schema_trouble *trouble)
{
	char canonical[ID_TEXT_SIZE];
	switch (schema->format) {
	case SCHEMA_FORMAT_EMAIL:
		return is_email(text) || schema_refuse(trouble, "bad_value", "not an e-mail address");
	case SCHEMA_FORMAT_UUID:
		return schema_uuid(text, canonical) || schema_refuse(trouble, "bad_value", "not a UUID");
	case SCHEMA_FORMAT_DATE:
		return is_time(text, true) || schema_refuse(trouble, "bad_value", "not a date such as 2026-11-21");
	case SCHEMA_FORMAT_DATE_TIME:
		return is_time(text, false) || schema_refuse(trouble, "bad_value", "not an ISO 8601 time");
	case SCHEMA_FORMAT_NONE:
		break;
	}
	return true;
}

static uint64_t
characters(struct slice text)
{
	uint64_t count = 0;
	for (size_t i = 0; i < text.size; i++)
		count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
	return count;
}

static bool
check_length(const struct schema *schema, uint64_t length, const char *unit, struct schema_trouble *trouble)
{
	if (length < schema->length_min)
		return schema_refuse(trouble, "bad_value", "at least %" PRIu64 " %s%s", schema->length_min, unit,
				     schema->length_min == 1 ? "" : "s");
	if (length > schema->length_max)
		return schema_refuse(trouble, "bad_value", "at most %" PRIu64 " %s%s", schema->length_max, unit,
				     schema->length_max == 1 ? "" : "s");
	return true;
}

bool
schema_check_count(const struct schema *schema, uint64_t count, struct schema_trouble *trouble)
{
	return check_length(schema, count, "item", trouble);
}

bool
schema_check_text(const struct schema *schema, struct slice text, struct schema_trouble *trouble)
{
	if (!is_choice(schema, text))
		return refuse_choice(schema, trouble);
	/* A character has one to four bytes: most texts need no counting. */
	bool fits = text.size / 4 >= schema->length_min && text.size <= schema->length_max;
	if (!fits && !check_length(schema, characters(text), "character", trouble))
		return false;
	if (schema->pattern.size > 0) {
		struct pattern state;
		const char *start;
		pattern_init(&state, text, schema->pattern, PATTERN_STEPS);
		if (pattern_search(&state, state.subject, schema->pattern, &start) == NULL)
			return schema_refuse(trouble, "bad_value", "must match %.*s", SLICE_ARG(schema->pattern));
	}
	return check_format(schema, text, trouble);
}

static bool
refuse_bound(const struct schema *schema, const char *which, int64_t bound, struct schema_trouble *trouble)
{
	char text[CLOCK_TEXT_SIZE];
	if (schema->type != SCHEMA_TIME)
		return schema_refuse(trouble, "bad_value", "%s %" PRId64, which, bound);
	clock_format(bound, text);
	return schema_refuse(trouble, "bad_value", "%s %s", which, text);
}

bool
schema_check_integer(const struct schema *schema, int64_t integer, struct schema_trouble *trouble)
{
	char text[JSON_NUMBER_SIZE];
	if (schema->choice_count > 0 && !is_choice(schema, slice_from(text, json_integer_text(integer, text))))
		return refuse_choice(schema, trouble);
	if (schema->has_minimum && integer < schema->minimum.integer)
		return refuse_bound(schema, "at least", schema->minimum.integer, trouble);
	if (schema->has_maximum && integer > schema->maximum.integer)
		return refuse_bound(schema, "at most", schema->maximum.integer, trouble);
	return true;
}

bool
schema_check_number(const struct schema *schema, double number, struct schema_trouble *trouble)
{
	if (schema->has_minimum && number < schema->minimum.number)
		return schema_refuse(trouble, "bad_value", "at least %.15g", schema->minimum.number);
	if (schema->has_maximum && number > schema->maximum.number)
		return schema_refuse(trouble, "bad_value", "at most %.15g", schema->maximum.number);
	return true;
}

bool
schema_check_money(const struct schema *schema, int64_t minor, struct slice currency, struct schema_trouble *trouble)
{
	char text[MONEY_TEXT_SIZE];
	unsigned decimals = money_decimals(currency);
	if (schema->has_minimum && minor < schema->minimum.integer)
		return schema_refuse(trouble, "bad_value", "at least %.*s %.*s",
				     (int)money_format(schema->minimum.integer, decimals, text), text,
				     SLICE_ARG(currency));
	if (schema->has_maximum && minor > schema->maximum.integer)
		return schema_refuse(trouble, "bad_value", "at most %.*s %.*s",
				     (int)money_format(schema->maximum.integer, decimals, text), text,
				     SLICE_ARG(currency));
	return true;
}

struct slice
schema_fixed_currency(const struct schema *money)
{
	struct slice name = money->currency;
	if (name.size != 3)
		return SLICE_NONE;
	for (size_t i = 0; i < name.size; i++)
		if (name.data[i] < 'A' || name.data[i] > 'Z')
			return SLICE_NONE;
	return name;
}
