/* SPDX-License-Identifier: MIT */
/* Reading by schema in two halves: schema_text.c makes values of texts, schema_read.c walks the bytes. */
#ifndef MOONLOG_SCRIPT_LUA_SCHEMA_INPUT_H
#define MOONLOG_SCRIPT_LUA_SCHEMA_INPUT_H

#include "script/lua/json_reader.h"
#include "script/lua/schema.h"

struct schema_input {
	lua_State *L;
	struct json_reader reader;
	const struct schema_context *context;
	struct schema_trouble *trouble;
};

/*
 * Each pushes one value, checked against the schema, or gives false with code and reason (no place) in the trouble and
 * perhaps something left on the stack.
 */
bool schema_push_money(struct schema_input *input, const struct schema *schema, struct slice text,
		       struct slice currency);
/* What a parameter's text means for a scalar. */
bool schema_push_text(struct schema_input *input, const struct schema *schema, struct slice text,
		      struct slice currency);
/* The string on top becomes the value of a STRING, UUID or TIME on the wire. */
bool schema_convert_string(struct schema_input *input, const struct schema *schema);
/* The domain's currency, or EUR. */
struct slice schema_currency(const struct schema_context *context);

#endif
