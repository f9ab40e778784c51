/* SPDX-License-Identifier: MIT */
/*
 * Values out of texts: times, UUIDs, amounts and the parameters of paths and queries. An amount is parsed digit by
 * digit in the decimals of its currency: no floating point.
 */
#include <lauxlib.h>

#include "base/clock.h"
#include "script/lua/json_writer.h"
#include "script/lua/money.h"
#include "script/lua/schema_check.h"
#include "script/lua/schema_input.h"

struct slice
schema_currency(const struct schema_context *context)
{
	return context->currency.size > 0 ? context->currency : SLICE("EUR");
}

static bool
push_time(struct schema_input *input, const struct schema *schema, struct slice text)
{
	char copy[64];
	int64_t time = 0;
	bool fits = text.size < sizeof copy && memchr(text.data, '\0', text.size) == NULL;
	if (fits) {
		memcpy(copy, text.data, text.size);
		copy[text.size] = '\0';
		fits = clock_parse(copy, &time) == 0;
	}
	/* A zone may lead out of them. What time.format cannot show would stop the first projection that does. */
	if (fits && (time < SCHEMA_TIME_MIN || time > SCHEMA_TIME_MAX))
		return schema_refuse(input->trouble, "bad_value", "the time lies outside of the years 1 to 9999");
	if (!fits)
		return schema_refuse(input->trouble, "bad_value", "not an ISO 8601 time such as 2026-11-21T10:00:00Z");
	lua_pushinteger(input->L, time);
	return schema_check_integer(schema, time, input->trouble);
}

bool
schema_convert_string(struct schema_input *input, const struct schema *schema)
{
	struct slice text;
	char canonical[37];
	text.data = lua_tolstring(input->L, -1, &text.size);
	if (schema->type == SCHEMA_STRING)
		return schema_check_text(schema, text, input->trouble);
	if (schema->type == SCHEMA_UUID) {
		if (!schema_uuid(text, canonical))
			return schema_refuse(input->trouble, "bad_value", "not a UUID");
		if (memcmp(canonical, text.data, 36) != 0) {
			lua_pushstring(input->L, canonical);
			lua_remove(input->L, -2);
		}
		return true;
	}
	if (!push_time(input, schema, text))
		return false;
	lua_remove(input->L, -2);
	return true;
}

bool
schema_push_money(struct schema_input *input, const struct schema *schema, struct slice text, struct slice currency)
{
	unsigned decimals = money_decimals(currency);
	int64_t minor = 0;
	switch (money_parse(text, decimals, &minor)) {
	case MONEY_OK:
		lua_pushinteger(input->L, minor);
		return schema_check_money(schema, minor, currency, input->trouble);
	case MONEY_DECIMALS:
		return decimals == 0
			       ? schema_refuse(input->trouble, "bad_money", "no decimals in %.*s", SLICE_ARG(currency))
			       : schema_refuse(input->trouble, "bad_money", "at most %u decimal%s in %.*s", decimals,
					       decimals == 1 ? "" : "s", SLICE_ARG(currency));
	case MONEY_RANGE:
		return schema_refuse(input->trouble, "bad_money", "the amount is out of range");
	case MONEY_SYNTAX:
		break;
	}
	return schema_refuse(input->trouble, "bad_money", "an amount is a plain number such as 500 or 500.00");
}

bool
schema_push_text(struct schema_input *input, const struct schema *schema, struct slice text, struct slice currency)
{
	lua_State *L = input->L;
	int64_t integer;
	struct json_reader number;
	struct slice raw;
	bool integral;
	switch (schema->type) {
	case SCHEMA_ANY:
		lua_pushlstring(L, text.data != NULL ? text.data : "", text.size);
		return true;
	case SCHEMA_STRING:
	case SCHEMA_UUID:
	case SCHEMA_TIME:
		if (!json_utf8(text))
			return schema_refuse(input->trouble, "bad_value", "not UTF-8");
		lua_pushlstring(L, text.data != NULL ? text.data : "", text.size);
		return schema_convert_string(input, schema);
	case SCHEMA_INTEGER:
		if (!slice_to_i64(text, &integer))
			return schema_refuse(input->trouble, "bad_type", "an integer expected");
		lua_pushinteger(L, integer);
		return schema_check_integer(schema, integer, input->trouble);
	case SCHEMA_NUMBER: {
		double value;
		json_reader_init(&number, L, text, NULL);
		if (!json_reader_number(&number, &raw, &integral) || number.at != number.end ||
		    !json_number_float(raw, &value))
			return schema_refuse(input->trouble, "bad_type", "a number expected");
		if (integral && json_number_integer(raw, &integer))
			lua_pushinteger(L, integer);
		else
			lua_pushnumber(L, value);
		return schema_check_number(schema, value, input->trouble);
	}
	case SCHEMA_BOOLEAN:
		if (!slice_equal(text, SLICE("true")) && !slice_equal(text, SLICE("false")))
			return schema_refuse(input->trouble, "bad_type", "true or false expected");
		lua_pushboolean(L, text.data[0] == 't');
		return true;
	case SCHEMA_MONEY:
		return schema_push_money(input, schema, text, currency);
	default:
		return schema_refuse(input->trouble, "bad_type", "%s cannot be given as a parameter",
				     schema_wants(schema));
	}
}

int
schema_read_text(lua_State *L, const struct schema *schema, struct slice text, const struct schema_context *context,
		 struct schema_trouble *trouble)
{
	struct schema_input input = { .L = L, .context = context, .trouble = trouble };
	int top = lua_gettop(L);
	memset(trouble, 0, sizeof *trouble);
	luaL_checkstack(L, 12, NULL);
	trouble->offset = -1;
	struct slice fixed = schema_fixed_currency(schema);
	if (schema_push_text(&input, schema, text, fixed.size > 0 ? fixed : schema_currency(context)))
		return 0;
	lua_settop(L, top);
	return -1;
}
