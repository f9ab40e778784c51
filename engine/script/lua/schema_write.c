/* SPDX-License-Identifier: MIT */
/*
 * Promises: what is appended has the schema's shape and nothing more, in canonical bytes; what does not fit names its
 * path and reason and leaves the buffer as it was. Read raw, so no metamethod of a rule runs here.
 *
 * The fields of an object are kept sorted, so its bytes come out canonical without sorting; members that no field
 * names are noticed by counting.
 */
#include <lauxlib.h>
#include <math.h>

#include "base/clock.h"
#include "script/lua/json_writer.h"
#include "script/lua/lib.h"
#include "script/lua/money.h"
#include "script/lua/sandbox.h"
#include "script/lua/schema_check.h"
#include "script/lua/schema_input.h"

struct output {
	lua_State *L;
	struct json_writer writer;
	const struct schema_context *context;
	struct schema_trouble *trouble;
	const struct schema *element; /* of the map that is being written */
};

static bool write_node(struct output *output, const struct schema *schema, int index, struct slice currency,
		       const struct json_place *place);

static bool
placed(struct output *output, const struct json_place *place)
{
	json_place_text(place, output->trouble->path, sizeof output->trouble->path);
	return false;
}

static bool
refuse_type(struct output *output, const struct schema *schema, int index, const struct json_place *place)
{
	lua_State *L = output->L;
	if (json_is_null(L, index))
		schema_refuse(output->trouble, "bad_type", "%s expected, not null", schema_wants(schema));
	else if (lua_type(L, index) == LUA_TNUMBER && !lua_isinteger(L, index))
		schema_refuse(output->trouble, "bad_type", "%s expected, not the float %.14g", schema_wants(schema),
			      lua_tonumber(L, index));
	else
		schema_refuse(output->trouble, "bad_type", "%s expected, not a %s", schema_wants(schema),
			      luaL_typename(L, index));
	return placed(output, place);
}

/* The codec's own failure as a trouble. Gives false. */
static bool
writer_failed(struct output *output)
{
	if (output->trouble->code[0] != '\0')
		return false;
	schema_refuse(output->trouble, strcmp(output->writer.code, "json_limit") == 0 ? "json_limit" : "bad_value",
		      "%s", output->writer.reason);
	memcpy(output->trouble->path, output->writer.path, sizeof output->trouble->path);
	return false;
}

static bool
is_absent(lua_State *L, int index)
{
	return lua_isnil(L, index) || json_is_null(L, index);
}

/* ---- scalars ---- */

static bool
write_text(struct output *output, const struct schema *schema, int index, const struct json_place *place)
{
	struct slice text;
	char canonical[37];
	if (lua_type(output->L, index) != LUA_TSTRING)
		return refuse_type(output, schema, index, place);
	text.data = lua_tolstring(output->L, index, &text.size);
	if (schema->type == SCHEMA_UUID) {
		if (!schema_uuid(text, canonical)) {
			schema_refuse(output->trouble, "bad_value", "not a UUID");
			return placed(output, place);
		}
		text = slice_text(canonical);
	} else if (!schema_check_text(schema, text, output->trouble)) {
		return placed(output, place);
	}
	return json_writer_text(&output->writer, text, place) || writer_failed(output);
}

static bool
write_integer(struct output *output, const struct schema *schema, int index, const struct json_place *place)
{
	char text[JSON_NUMBER_SIZE];
	if (!lua_isinteger(output->L, index))
		return refuse_type(output, schema, index, place);
	int64_t integer = lua_tointeger(output->L, index);
	if (!schema_check_integer(schema, integer, output->trouble))
		return placed(output, place);
	json_put(output->writer.out, text, json_integer_text(integer, text));
	return true;
}

static bool
write_number(struct output *output, const struct schema *schema, int index, const struct json_place *place)
{
	if (lua_type(output->L, index) != LUA_TNUMBER)
		return refuse_type(output, schema, index, place);
	if (!schema_check_number(schema, lua_tonumber(output->L, index), output->trouble))
		return placed(output, place);
	return json_writer_value(&output->writer, index, place) || writer_failed(output);
}

static bool
write_money(struct output *output, const struct schema *schema, int index, struct slice currency,
	    const struct json_place *place)
{
	char text[JSON_NUMBER_SIZE];
	if (!lua_isinteger(output->L, index))
		return refuse_type(output, schema, index, place);
	int64_t minor = lua_tointeger(output->L, index);
	if (!schema_check_money(schema, minor, currency, output->trouble))
		return placed(output, place);
	if (output->context->mode == SCHEMA_STORED)
		json_put(output->writer.out, text, json_integer_text(minor, text));
	else
		json_put(output->writer.out, text, money_format(minor, money_decimals(currency), text));
	return true;
}

static bool
write_time(struct output *output, const struct schema *schema, int index, const struct json_place *place)
{
	char text[CLOCK_TEXT_SIZE];
	if (output->context->mode == SCHEMA_STORED || !lua_isinteger(output->L, index))
		return write_integer(output, schema, index, place);
	int64_t time = lua_tointeger(output->L, index);
	if (time < SCHEMA_TIME_MIN || time > SCHEMA_TIME_MAX) {
		schema_refuse(output->trouble, "bad_value", "the time lies outside of the years 1 to 9999");
		return placed(output, place);
	}
	if (!schema_check_integer(schema, time, output->trouble))
		return placed(output, place);
	clock_format(time, text);
	return json_writer_text(&output->writer, slice_text(text), place) || writer_failed(output);
}

/* ---- tables ---- */

/* Pushes the table at `index` or what stands behind a read-only view. */
static bool
push_table(struct output *output, const struct schema *schema, int index, const struct json_place *place)
{
	if (lua_type(output->L, index) != LUA_TTABLE)
		return refuse_type(output, schema, index, place);
	if (!json_writer_deeper(&output->writer, place))
		return writer_failed(output);
	if (!sandbox_thaw(output->L, index))
		lua_pushvalue(output->L, index);
	return true;
}

/* The currency of a money field; pushes the sibling's value, which must stay while it is used. */
static struct slice
push_currency(struct output *output, const struct schema *schema, int table)
{
	struct slice currency = schema_fixed_currency(schema);
	lua_pushlstring(output->L, schema->currency.data, schema->currency.size);
	if (lua_rawget(output->L, table) == LUA_TSTRING)
		currency.data = lua_tolstring(output->L, -1, &currency.size);
	return currency.size > 0 ? currency : schema_currency(output->context);
}

static bool
refuse_unknown(struct output *output, const struct schema *schema, int table, const struct json_place *outer)
{
	lua_State *L = output->L;
	struct json_place place = { .outer = outer };
	lua_pushnil(L);
	while (lua_next(L, table)) {
		lua_pop(L, 1);
		if (lib_hidden_key(L, -1))
			continue;
		if (lua_type(L, -1) != LUA_TSTRING) {
			schema_refuse(output->trouble, "bad_type", "an object cannot have a key of type %s",
				      luaL_typename(L, -1));
			return placed(output, outer);
		}
		place.key.data = lua_tolstring(L, -1, &place.key.size);
		if (schema_member(schema, place.key) == NULL) {
			schema_refuse(output->trouble, "unknown_field", "unknown field");
			return placed(output, &place);
		}
	}
	return true;
}

static size_t
member_count(lua_State *L, int table)
{
	size_t count = 0;
	lua_pushnil(L);
	while (lua_next(L, table)) {
		lua_pop(L, 1);
		count += !lib_hidden_key(L, -1);
	}
	return count;
}

/* The field whose value is on top, absent or not. */
static bool
write_field(struct output *output, const struct schema_field *field, int table, bool *first,
	    const struct json_place *outer)
{
	lua_State *L = output->L;
	struct json_place place = { .outer = outer, .key = field->name };
	struct slice currency = SLICE_NONE;
	struct fault ignored;
	bool null_counts = field->schema.type == SCHEMA_ANY && !field->schema.optional && !lua_isnil(L, -1);
	if (is_absent(L, -1) && !null_counts) {
		if (field->schema.preset.data == NULL && field->schema.optional)
			return true;
		if (field->schema.preset.data == NULL) {
			schema_refuse(output->trouble, "missing_field", "is required");
			return placed(output, &place);
		}
		must(json_read(L, field->schema.preset, NULL, &ignored) == 0);
	}
	int value = lua_gettop(L);
	if (field->schema.type == SCHEMA_MONEY)
		currency = push_currency(output, &field->schema, table);
	if (!*first)
		json_put_byte(output->writer.out, ',');
	*first = false;
	if (!json_writer_text(&output->writer, field->name, &place))
		return writer_failed(output);
	json_put_byte(output->writer.out, ':');
	return write_node(output, &field->schema, value, currency, &place);
}

static bool
write_object(struct output *output, const struct schema *schema, int index, const struct json_place *place)
{
	lua_State *L = output->L;
	if (!push_table(output, schema, index, place))
		return false;
	int table = lua_gettop(L);
	size_t present = 0;
	bool first = true;
	json_put_byte(output->writer.out, '{');
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct schema_field *field = &schema->fields[i];
		lua_pushlstring(L, field->name.data, field->name.size);
		present += lua_rawget(L, table) != LUA_TNIL;
		if (!write_field(output, field, table, &first, place))
			return false;
		lua_settop(L, table);
	}
	json_put_byte(output->writer.out, '}');
	return present == member_count(L, table) || refuse_unknown(output, schema, table, place);
}

static bool
write_array(struct output *output, const struct schema *schema, int index, const struct json_place *outer)
{
	lua_State *L = output->L;
	struct json_place place = { .outer = outer };
	enum json_shape shape;
	lua_Integer count;
	if (lua_type(L, index) != LUA_TTABLE)
		return refuse_type(output, schema, index, outer);
	if (!json_writer_deeper(&output->writer, outer) ||
	    !json_writer_shape(&output->writer, index, outer, &shape, &count))
		return writer_failed(output);
	int table = lua_gettop(L);
	if (shape == JSON_SHAPE_OBJECT && member_count(L, table) > 0) {
		schema_refuse(output->trouble, "bad_type", "an array expected, not a table with text keys");
		return placed(output, outer);
	}
	if (!schema_check_count(schema, (uint64_t)count, output->trouble))
		return placed(output, outer);
	json_put_byte(output->writer.out, '[');
	for (lua_Integer i = 1; i <= count; i++) {
		place.index = i;
		if (i > 1)
			json_put_byte(output->writer.out, ',');
		lua_rawgeti(L, table, i);
		if (schema->element->optional && json_is_null(L, -1))
			json_put(output->writer.out, "null", 4);
		else if (!write_node(output, schema->element, table + 1, SLICE_NONE, &place))
			return false;
		lua_settop(L, table);
	}
	json_put_byte(output->writer.out, ']');
	return true;
}

struct map_output {
	struct output *output;
	const struct schema *element;
};

static bool
write_map_value(void *self, int index, const struct json_place *place)
{
	struct map_output *map = self;
	if (map->element->optional && json_is_null(map->output->L, index)) {
		json_put(map->output->writer.out, "null", 4);
		return true;
	}
	return write_node(map->output, map->element, index, SLICE_NONE, place);
}

static bool
write_map(struct output *output, const struct schema *schema, int index, const struct json_place *place)
{
	struct map_output map = { output, schema->element };
	struct json_member_writer member = { write_map_value, &map };
	if (!push_table(output, schema, index, place))
		return false;
	if (!schema_check_count(schema, member_count(output->L, lua_gettop(output->L)), output->trouble))
		return placed(output, place);
	return json_writer_object(&output->writer, &member, place) || writer_failed(output);
}

static bool
write_tables(struct output *output, const struct schema *schema, int index, const struct json_place *place)
{
	uint32_t depth = output->writer.depth;
	int top = lua_gettop(output->L);
	bool done;
	if (schema->type == SCHEMA_ARRAY)
		done = write_array(output, schema, index, place);
	else if (schema->type == SCHEMA_MAP)
		done = write_map(output, schema, index, place);
	else
		done = write_object(output, schema, index, place);
	output->writer.depth = depth;
	lua_settop(output->L, top);
	return done;
}

static bool
write_node(struct output *output, const struct schema *schema, int index, struct slice currency,
	   const struct json_place *place)
{
	lua_State *L = output->L;
	switch (schema->type) {
	case SCHEMA_STRING:
	case SCHEMA_UUID:
		return write_text(output, schema, index, place);
	case SCHEMA_INTEGER:
		return write_integer(output, schema, index, place);
	case SCHEMA_NUMBER:
		return write_number(output, schema, index, place);
	case SCHEMA_TIME:
		return write_time(output, schema, index, place);
	case SCHEMA_MONEY: {
		struct slice fixed = schema_fixed_currency(schema);
		if (currency.size == 0)
			currency = fixed.size > 0 ? fixed : schema_currency(output->context);
		return write_money(output, schema, index, currency, place);
	}
	case SCHEMA_BOOLEAN:
		if (lua_type(L, index) != LUA_TBOOLEAN)
			return refuse_type(output, schema, index, place);
		break;
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		return write_tables(output, schema, index, place);
	case SCHEMA_OBJECT:
		if (!schema->open)
			return write_tables(output, schema, index, place);
		if (lua_type(L, index) != LUA_TTABLE || json_is_array(L, index))
			return refuse_type(output, schema, index, place);
		break;
	case SCHEMA_ANY:
		break;
	}
	return json_writer_value(&output->writer, index, place) || writer_failed(output);
}

int
schema_write(lua_State *L, int index, const struct schema *schema, const struct schema_context *context,
	     struct buf *out, struct schema_trouble *trouble)
{
	struct output output = { .L = L, .context = context, .trouble = trouble };
	int top = lua_gettop(L);
	memset(trouble, 0, sizeof *trouble);
	trouble->offset = -1;
	luaL_checkstack(L, 12, NULL);
	index = lua_absindex(L, index);
	json_writer_init(&output.writer, L, out, NULL);
	bool done;
	if (schema->optional && is_absent(L, index)) {
		json_put(out, "null", 4);
		done = true;
	} else {
		done = write_node(&output, schema, index, SLICE_NONE, NULL);
	}
	lua_settop(L, top);
	if (done && (out->failed || out->size - output.writer.start > output.writer.limits.total_bytes))
		done = schema_refuse(trouble, "json_limit", "the value is longer than %zu bytes as JSON",
				     out->failed ? out->cap_bytes : output.writer.limits.total_bytes);
	if (done)
		return 0;
	out->size = output.writer.start;
	out->failed = false;
	return -1;
}
