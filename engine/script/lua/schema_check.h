/* SPDX-License-Identifier: MIT */
/* What a scalar must satisfy beyond its type, for reading and writing. Each gives false with code and reason set. */
#ifndef MOONLOG_SCRIPT_LUA_SCHEMA_CHECK_H
#define MOONLOG_SCRIPT_LUA_SCHEMA_CHECK_H

#include "script/lua/schema.h"

/* Years 1 to 9999: what a text can hold, and what rules can show. */
#define SCHEMA_TIME_MIN (-62135596800000000)
#define SCHEMA_TIME_MAX 253402300799999999

bool schema_check_text(const struct schema *schema, struct slice text, struct schema_trouble *trouble);
bool schema_check_integer(const struct schema *schema, int64_t integer, struct schema_trouble *trouble);
bool schema_check_number(const struct schema *schema, double number, struct schema_trouble *trouble);
bool schema_check_money(const struct schema *schema, int64_t minor, struct slice currency,
			struct schema_trouble *trouble);
/* Of elements or members. */
bool schema_check_count(const struct schema *schema, uint64_t count, struct schema_trouble *trouble);
/* Code and reason at once. Gives false. */
bool schema_refuse(struct schema_trouble *trouble, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "a string", "an object of ...": what the schema wants, for "... expected". */
const char *schema_wants(const struct schema *schema);
/* A field's `currency` that is a code itself, or else SLICE_NONE: look at the sibling of that name. */
struct slice schema_fixed_currency(const struct schema *money);
/* A UUID in either case as lower-case text. */
bool schema_uuid(struct slice text, char canonical[37]);

#endif
