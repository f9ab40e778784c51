/* SPDX-License-Identifier: MIT */
/*
 * Promises: what is pushed has the schema's shape and nothing more; what is refused names field, byte and reason.
 *
 * Bytes are read once, straight onto the Lua stack. An amount is not a number until its currency is known, and that may
 * stand behind it: its text waits until the object ends and is then parsed exactly, without floating point.
 *
 * Fails: by the trouble; Lua errors are raised for memory only.
 */
#include <lauxlib.h>
#include <stdio.h>

#include "base/clock.h"
#include "script/lua/json_reader.h"
#include "script/lua/json_writer.h"
#include "script/lua/money.h"
#include "script/lua/schema_check.h"

struct input {
	lua_State *L;
	struct json_reader reader;
	const struct schema_context *context;
	struct schema_trouble *trouble;
};

struct waiting_money {
	const struct schema_field *field;
	struct slice text;
	const char *at; /* NULL: a parameter */
};

/* An object that is being read: which fields came, and what waits for a currency. */
struct object {
	const struct schema *schema;
	int table;
	uint64_t seen[SCHEMA_FIELDS_MAX / 64];
	struct waiting_money money[SCHEMA_MONEY_MAX];
	size_t money_count;
};

static bool read_node(struct input *input, const struct schema *schema, const struct json_place *place);

static struct slice
domain_currency(const struct schema_context *context)
{
	return context->currency.size > 0 ? context->currency : SLICE("EUR");
}

/* Adds the place to a trouble whose code and reason are set. Gives false. */
static bool
placed(struct input *input, const struct json_place *place, const char *at)
{
	json_place_text(place, input->trouble->path, sizeof input->trouble->path);
	input->trouble->offset = at != NULL ? at - input->reader.start : -1;
	return false;
}

static const char *
kind_here(const struct json_reader *reader)
{
	if (reader->at == reader->end)
		return "the end of the text";
	switch (*reader->at) {
	case '"':
		return "a string";
	case '{':
		return "an object";
	case '[':
		return "an array";
	case 't':
	case 'f':
		return "a boolean";
	case 'n':
		return "null";
	default:
		return "a number";
	}
}

static bool
refuse_kind(struct input *input, const struct schema *schema, const struct json_place *place, const char *detail)
{
	schema_refuse(input->trouble, "bad_type", "%s%s expected, not %s", schema_wants(schema), detail,
		      kind_here(&input->reader));
	return placed(input, place, input->reader.at);
}

/* The reader's own failure as a trouble. Gives false. */
static bool
reader_failed(struct input *input)
{
	const struct json_reader *reader = &input->reader;
	if (input->trouble->code[0] != '\0')
		return false;
	schema_refuse(input->trouble, reader->over_limit ? "json_limit" : "bad_json", "%s",
		      reader->error != NULL ? reader->error : "not JSON");
	input->trouble->path[0] = '\0';
	input->trouble->offset = reader->error_at != NULL ? reader->error_at - reader->start : 0;
	return false;
}

static inline bool
is_here(const struct json_reader *reader, char c)
{
	return reader->at < reader->end && *reader->at == c;
}

static bool
is_number_here(const struct json_reader *reader)
{
	return reader->at < reader->end && (*reader->at == '-' || (*reader->at >= '0' && *reader->at <= '9'));
}

/* ---- texts that may come from JSON strings or from parameters ---- */

static bool
push_time(struct input *input, const struct schema *schema, struct slice text)
{
	char copy[64];
	int64_t time;
	bool fits = text.size < sizeof copy && memchr(text.data, '\0', text.size) == NULL;
	if (fits) {
		memcpy(copy, text.data, text.size);
		copy[text.size] = '\0';
		fits = clock_parse(copy, &time) == 0;
	}
	if (!fits)
		return schema_refuse(input->trouble, "bad_value",
				     "not an ISO 8601 time such as 2026-11-21T10:00:00Z");
	lua_pushinteger(input->L, time);
	return schema_check_integer(schema, time, input->trouble);
}

/* The string on top becomes the value of a STRING, UUID or TIME on the wire. Code and reason only on failure. */
static bool
convert_string(struct input *input, const struct schema *schema)
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

static bool
read_string(struct input *input, const struct schema *schema, const struct json_place *place)
{
	const char *at = input->reader.at;
	if (!is_here(&input->reader, '"'))
		return refuse_kind(input, schema, place, schema->type == SCHEMA_TIME ? " (ISO 8601 text)" : "");
	input->reader.at++;
	if (!json_reader_string(&input->reader, NULL))
		return reader_failed(input);
	return convert_string(input, schema) || placed(input, place, at);
}

/* INTEGER, NUMBER, and MONEY and TIME when stored. */
static bool
read_number(struct input *input, const struct schema *schema, const struct json_place *place)
{
	struct json_reader *reader = &input->reader;
	const char *at = reader->at;
	struct slice raw;
	bool integral;
	int64_t integer = 0;
	double number = 0;
	if (!is_number_here(reader))
		return refuse_kind(input, schema, place, "");
	if (!json_reader_number(reader, &raw, &integral))
		return reader_failed(input);
	if (integral ? !json_number_integer(raw, &integer) : !json_number_float(raw, &number)) {
		schema_refuse(input->trouble, "bad_value", integral ? "integer out of 64-bit range" : "out of range");
		return placed(input, place, at);
	}
	if (schema->type != SCHEMA_NUMBER && !integral) {
		schema_refuse(input->trouble, "bad_type", "%s expected, not %.*s", schema_wants(schema), SLICE_ARG(raw));
		return placed(input, place, at);
	}
	if (integral)
		lua_pushinteger(input->L, integer);
	else
		lua_pushnumber(input->L, number);
	bool holds = schema->type == SCHEMA_NUMBER
			     ? schema_check_number(schema, integral ? (double)integer : number, input->trouble)
			     : schema_check_integer(schema, integer, input->trouble);
	return holds || placed(input, place, at);
}

static bool
read_boolean(struct input *input, const struct schema *schema, const struct json_place *place)
{
	struct json_reader *reader = &input->reader;
	bool yes = is_here(reader, 't');
	if (!yes && !is_here(reader, 'f'))
		return refuse_kind(input, schema, place, "");
	lua_pushboolean(input->L, yes);
	return json_reader_word(reader, yes ? "true" : "false", yes ? 4 : 5) || reader_failed(input);
}

/* ---- money ---- */

static bool
push_money(struct input *input, const struct schema *schema, struct slice text, struct slice currency)
{
	unsigned decimals = money_decimals(currency);
	int64_t minor = 0;
	switch (money_parse(text, decimals, &minor)) {
	case MONEY_OK:
		lua_pushinteger(input->L, minor);
		return schema_check_money(schema, minor, currency, input->trouble);
	case MONEY_DECIMALS:
		return decimals == 0 ? schema_refuse(input->trouble, "bad_money", "no decimals in %.*s",
						     SLICE_ARG(currency))
				     : schema_refuse(input->trouble, "bad_money", "at most %u decimal%s in %.*s", decimals,
						     decimals == 1 ? "" : "s", SLICE_ARG(currency));
	case MONEY_RANGE:
		return schema_refuse(input->trouble, "bad_money", "the amount is out of range");
	case MONEY_SYNTAX:
		break;
	}
	return schema_refuse(input->trouble, "bad_money", "an amount is a plain number such as 500 or 500.00");
}

static bool
take_money_text(struct input *input, const struct schema *schema, const struct json_place *place, struct slice *text)
{
	bool integral;
	if (!is_number_here(&input->reader))
		return refuse_kind(input, schema, place, "");
	return json_reader_number(&input->reader, text, &integral) || reader_failed(input);
}

/* An amount that stands alone: no sibling can name its currency. */
static bool
read_lone_money(struct input *input, const struct schema *schema, const struct json_place *place)
{
	const char *at = input->reader.at;
	struct slice text, fixed = schema_fixed_currency(schema);
	if (!take_money_text(input, schema, place, &text))
		return false;
	return push_money(input, schema, text, fixed.size > 0 ? fixed : domain_currency(input->context)) ||
	       placed(input, place, at);
}

/* Pushes the sibling's value, which must stay while *currency is used. */
static void
push_currency(struct input *input, const struct object *object, const struct schema *money, struct slice *currency)
{
	lua_State *L = input->L;
	*currency = schema_fixed_currency(money);
	lua_pushlstring(L, money->currency.data, money->currency.size);
	if (lua_rawget(L, object->table) == LUA_TSTRING)
		currency->data = lua_tolstring(L, -1, &currency->size);
	if (currency->size == 0)
		*currency = domain_currency(input->context);
}

static bool
settle_money(struct input *input, struct object *object, const struct json_place *outer)
{
	lua_State *L = input->L;
	struct json_place place = { .outer = outer };
	for (size_t i = 0; i < object->money_count; i++) {
		const struct waiting_money *waiting = &object->money[i];
		struct slice currency;
		place.key = waiting->field->name;
		push_currency(input, object, &waiting->field->schema, &currency);
		if (!push_money(input, &waiting->field->schema, waiting->text, currency))
			return placed(input, &place, waiting->at);
		lua_pushlstring(L, place.key.data, place.key.size);
		lua_insert(L, -2);
		lua_rawset(L, object->table);
		lua_pop(L, 1);
	}
	return true;
}

/* ---- objects ---- */

static const struct schema_field *
find_field(const struct schema *object, struct slice name, size_t *number)
{
	const struct schema *member = schema_member(object, name);
	if (member == NULL)
		return NULL;
	const struct schema_field *field = container_of(member, struct schema_field, schema);
	*number = (size_t)(field - object->fields);
	return field;
}

static bool
take_lifted(struct input *input, const struct json_place *place)
{
	struct schema_lift *lift = input->context->lift;
	const struct schema wanted = { .type = SCHEMA_INTEGER, .has_minimum = true };
	if (is_here(&input->reader, 'n'))
		return json_reader_word(&input->reader, "null", 4) || reader_failed(input);
	if (!read_number(input, &wanted, place))
		return false;
	lift->found = true;
	lift->integer = lua_tointeger(input->L, -1);
	lua_pop(input->L, 1);
	return true;
}

/* A member whose key is on top and whose value comes next. The key is gone after. */
static bool
read_member(struct input *input, struct object *object, const char *key_at, const struct json_place *outer)
{
	lua_State *L = input->L;
	struct json_reader *reader = &input->reader;
	struct json_place place = { .outer = outer };
	const struct schema_lift *lift = outer == NULL ? input->context->lift : NULL;
	size_t number;
	place.key.data = lua_tolstring(L, -1, &place.key.size);
	const struct schema_field *field = find_field(object->schema, place.key, &number);
	if (field == NULL) {
		bool lifted = lift != NULL && slice_equal(place.key, lift->name);
		if (lifted && take_lifted(input, &place)) {
			lua_pop(L, 1);
			return true;
		}
		if (!lifted) {
			schema_refuse(input->trouble, "unknown_field", "unknown field");
			placed(input, &place, key_at);
		}
		return false;
	}
	uint64_t bit = (uint64_t)1 << (number % 64), *seen = &object->seen[number / 64];
	if (*seen & bit) {
		schema_refuse(input->trouble, "bad_json", "the key is there twice");
		return placed(input, &place, key_at);
	}
	if (field->schema.optional && is_here(reader, 'n')) {
		lua_pop(L, 1);
		*seen |= bit;
		return json_reader_word(reader, "null", 4) || reader_failed(input);
	}
	*seen |= bit;
	if (field->schema.type == SCHEMA_MONEY && input->context->mode == SCHEMA_WIRE) {
		struct waiting_money *waiting = &object->money[object->money_count];
		*waiting = (struct waiting_money){ .field = field, .at = reader->at };
		if (!take_money_text(input, &field->schema, &place, &waiting->text))
			return false;
		object->money_count++;
		lua_pop(L, 1);
		return true;
	}
	if (!read_node(input, &field->schema, &place))
		return false;
	lua_rawset(L, object->table);
	return true;
}

/* Pushes the value that a parameter's text means for a scalar. Code and reason only on failure. */
static bool
push_text(struct input *input, const struct schema *schema, struct slice text, struct slice currency)
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
		return convert_string(input, schema);
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
		return push_money(input, schema, text, currency);
	default:
		return schema_refuse(input->trouble, "bad_type", "%s cannot be given as a parameter",
				     schema_wants(schema));
	}
}

/* Parameters become members where the bytes have none; those that no field wants are left to the caller. */
static bool
add_params(struct input *input, struct object *object)
{
	lua_State *L = input->L;
	for (size_t i = 0; i < input->context->param_count; i++) {
		const struct script_param *param = &input->context->params[i];
		struct json_place place = { .key = param->name };
		size_t number;
		const struct schema_field *field = find_field(object->schema, param->name, &number);
		uint64_t bit = (uint64_t)1 << (number = field != NULL ? number : 0) % 64;
		if (field == NULL || (object->seen[number / 64] & bit) != 0)
			continue;
		object->seen[number / 64] |= bit;
		if (field->schema.type == SCHEMA_MONEY) {
			object->money[object->money_count++] =
				(struct waiting_money){ .field = field, .text = param->value };
			continue;
		}
		lua_pushlstring(L, field->name.data, field->name.size);
		if (!push_text(input, &field->schema, param->value, SLICE_NONE))
			return placed(input, &place, NULL);
		lua_rawset(L, object->table);
	}
	return true;
}

static bool
fill_missing(struct input *input, struct object *object, const struct json_place *outer)
{
	lua_State *L = input->L;
	struct fault ignored;
	for (size_t i = 0; i < object->schema->field_count; i++) {
		const struct schema_field *field = &object->schema->fields[i];
		if (object->seen[i / 64] & (uint64_t)1 << (i % 64))
			continue;
		if (field->schema.preset.data != NULL) {
			lua_pushlstring(L, field->name.data, field->name.size);
			must(json_read(L, field->schema.preset, NULL, &ignored) == 0);
			lua_rawset(L, object->table);
		} else if (!field->schema.optional) {
			struct json_place place = { .outer = outer, .key = field->name };
			schema_refuse(input->trouble, "missing_field", "is required");
			return placed(input, &place, input->reader.at > input->reader.start ? input->reader.at - 1
											    : input->reader.at);
		}
	}
	return true;
}

static bool
read_members(struct input *input, struct object *object, const struct json_place *place)
{
	struct json_reader *reader = &input->reader;
	bool first = true;
	if (!json_reader_open(reader))
		return reader_failed(input);
	while (json_reader_more(reader, '}', &first)) {
		const char *key_at = reader->at - 1;
		if (!json_reader_string(reader, NULL) || !json_reader_colon(reader))
			return reader_failed(input);
		if (!read_member(input, object, key_at, place))
			return false;
	}
	return reader->error == NULL || reader_failed(input);
}

static bool
read_object(struct input *input, const struct schema *schema, const struct json_place *place)
{
	struct object object = { .schema = schema };
	bool nothing = place == NULL && input->reader.at == input->reader.end;
	if (!nothing && !is_here(&input->reader, '{'))
		return refuse_kind(input, schema, place, "");
	luaL_checkstack(input->L, 12, NULL);
	lua_createtable(input->L, 0, (int)schema->field_count);
	object.table = lua_gettop(input->L);
	if (!nothing) {
		input->reader.at++;
		if (!read_members(input, &object, place))
			return false;
	}
	if (place == NULL && !add_params(input, &object))
		return false;
	return fill_missing(input, &object, place) && settle_money(input, &object, place);
}

static bool
read_array(struct input *input, const struct schema *schema, const struct json_place *outer)
{
	lua_State *L = input->L;
	struct json_reader *reader = &input->reader;
	struct json_place place = { .outer = outer };
	const char *at = reader->at;
	bool first = true;
	if (!is_here(reader, '['))
		return refuse_kind(input, schema, outer, "");
	reader->at++;
	if (!json_reader_open(reader))
		return reader_failed(input);
	json_new_array(L, 0);
	while (json_reader_more(reader, ']', &first)) {
		if (schema->element->optional && is_here(reader, 'n')) {
			json_push_null(L);
			if (!json_reader_word(reader, "null", 4))
				return reader_failed(input);
		} else if (!read_node(input, schema->element, &place)) {
			return false;
		}
		lua_rawseti(L, -2, ++place.index);
	}
	if (reader->error != NULL)
		return reader_failed(input);
	return schema_check_count(schema, (uint64_t)place.index, input->trouble) || placed(input, outer, at);
}

static bool
read_map(struct input *input, const struct schema *schema, const struct json_place *outer)
{
	lua_State *L = input->L;
	struct json_reader *reader = &input->reader;
	struct json_place place = { .outer = outer };
	const char *at = reader->at;
	uint64_t count = 0;
	bool first = true;
	if (!is_here(reader, '{'))
		return refuse_kind(input, schema, outer, "");
	reader->at++;
	if (!json_reader_open(reader))
		return reader_failed(input);
	lua_newtable(L);
	while (json_reader_more(reader, '}', &first)) {
		const char *key_at = reader->at - 1;
		if (!json_reader_string(reader, NULL) || !json_reader_colon(reader))
			return reader_failed(input);
		place.key.data = lua_tolstring(L, -1, &place.key.size);
		lua_pushvalue(L, -1);
		if (lua_rawget(L, -3) != LUA_TNIL) {
			schema_refuse(input->trouble, "bad_json", "the key is there twice");
			return placed(input, &place, key_at);
		}
		lua_pop(L, 1);
		if (!read_node(input, schema->element, &place))
			return false;
		lua_rawset(L, -3);
		count++;
	}
	if (reader->error != NULL)
		return reader_failed(input);
	return schema_check_count(schema, count, input->trouble) || placed(input, outer, at);
}

static bool
read_node(struct input *input, const struct schema *schema, const struct json_place *place)
{
	bool wire = input->context->mode == SCHEMA_WIRE;
	switch (schema->type) {
	case SCHEMA_STRING:
	case SCHEMA_UUID:
		return read_string(input, schema, place);
	case SCHEMA_TIME:
		return wire ? read_string(input, schema, place) : read_number(input, schema, place);
	case SCHEMA_MONEY:
		return wire ? read_lone_money(input, schema, place) : read_number(input, schema, place);
	case SCHEMA_INTEGER:
	case SCHEMA_NUMBER:
		return read_number(input, schema, place);
	case SCHEMA_BOOLEAN:
		return read_boolean(input, schema, place);
	case SCHEMA_ARRAY:
		return read_array(input, schema, place);
	case SCHEMA_MAP:
		return read_map(input, schema, place);
	case SCHEMA_OBJECT:
		if (!schema->open)
			return read_object(input, schema, place);
		if (!is_here(&input->reader, '{'))
			return refuse_kind(input, schema, place, "");
		break;
	case SCHEMA_ANY:
		break;
	}
	return json_reader_value(&input->reader) || reader_failed(input);
}

int
schema_read(lua_State *L, const struct schema *schema, struct slice bytes, const struct schema_context *context,
	    struct schema_trouble *trouble)
{
	struct input input = { .L = L, .context = context, .trouble = trouble };
	int top = lua_gettop(L);
	bool done;
	memset(trouble, 0, sizeof *trouble);
	luaL_checkstack(L, 12, NULL);
	json_reader_init(&input.reader, L, bytes, NULL);
	if (input.reader.error != NULL) {
		reader_failed(&input);
		return -1;
	}
	json_reader_space(&input.reader);
	if (schema->optional && is_here(&input.reader, 'n')) {
		lua_pushnil(L);
		done = json_reader_word(&input.reader, "null", 4) || reader_failed(&input);
	} else {
		done = read_node(&input, schema, NULL);
	}
	if (done && json_reader_end(&input.reader))
		return 0;
	if (done)
		reader_failed(&input);
	lua_settop(L, top);
	return -1;
}

int
schema_read_text(lua_State *L, const struct schema *schema, struct slice text, const struct schema_context *context,
		 struct schema_trouble *trouble)
{
	struct input input = { .L = L, .context = context, .trouble = trouble };
	int top = lua_gettop(L);
	memset(trouble, 0, sizeof *trouble);
	luaL_checkstack(L, 12, NULL);
	trouble->offset = -1;
	struct slice fixed = schema_fixed_currency(schema);
	if (push_text(&input, schema, text, fixed.size > 0 ? fixed : domain_currency(context)))
		return 0;
	lua_settop(L, top);
	return -1;
}
