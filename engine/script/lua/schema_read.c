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

#include "script/lua/json_writer.h"
#include "script/lua/schema_check.h"
#include "script/lua/schema_input.h"

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
	size_t next; /* the field that comes next in canonical bytes: looked at before the search */
};

static bool read_node(struct schema_input *input, const struct schema *schema, const struct json_place *place);

/* Adds the place to a trouble whose code and reason are set. Gives false. */
static bool
placed(struct schema_input *input, const struct json_place *place, const char *at)
{
	json_place_text(place, input->trouble->path, sizeof input->trouble->path);
	input->trouble->offset = at != NULL ? at - input->reader.start : -1;
	return false;
}

static const char *
kind_here(const struct json_reader *reader)
{
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

static bool reader_failed(struct schema_input *input);

/* Another kind of value stands here, or none: text that ends or goes wrong is no JSON whatever the schema wants. */
static bool
refuse_kind(struct schema_input *input, const struct schema *schema, const struct json_place *place, const char *detail)
{
	struct json_reader *reader = &input->reader;
	if (reader->at == reader->end)
		return json_reader_fail(reader, reader->at, "the text ends too early") || reader_failed(input);
	if (memchr("\"{[tfn-0123456789", *reader->at, 17) == NULL)
		return json_reader_fail(reader, reader->at, "a value is missing") || reader_failed(input);
	schema_refuse(input->trouble, "bad_type", "%s%s expected, not %s", schema_wants(schema), detail,
		      kind_here(&input->reader));
	return placed(input, place, input->reader.at);
}

/* The reader's own failure as a trouble. Gives false. */
static bool
reader_failed(struct schema_input *input)
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

static bool
read_string(struct schema_input *input, const struct schema *schema, const struct json_place *place)
{
	const char *at = input->reader.at;
	if (!is_here(&input->reader, '"'))
		return refuse_kind(input, schema, place, schema->type == SCHEMA_TIME ? " (ISO 8601 text)" : "");
	input->reader.at++;
	if (!json_reader_string(&input->reader, NULL))
		return reader_failed(input);
	return schema_convert_string(input, schema) || placed(input, place, at);
}

/* INTEGER, NUMBER, and MONEY and TIME when stored. */
static bool
read_number(struct schema_input *input, const struct schema *schema, const struct json_place *place)
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
		schema_refuse(input->trouble, "bad_type", "%s expected, not %.*s", schema_wants(schema),
			      SLICE_ARG(raw));
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
read_boolean(struct schema_input *input, const struct schema *schema, const struct json_place *place)
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
take_money_text(struct schema_input *input, const struct schema *schema, const struct json_place *place,
		struct slice *text)
{
	bool integral;
	if (!is_number_here(&input->reader))
		return refuse_kind(input, schema, place, "");
	return json_reader_number(&input->reader, text, &integral) || reader_failed(input);
}

/* An amount that stands alone: no sibling can name its currency. */
static bool
read_lone_money(struct schema_input *input, const struct schema *schema, const struct json_place *place)
{
	const char *at = input->reader.at;
	struct slice text, fixed = schema_fixed_currency(schema);
	if (!take_money_text(input, schema, place, &text))
		return false;
	return schema_push_money(input, schema, text, fixed.size > 0 ? fixed : schema_currency(input->context)) ||
	       placed(input, place, at);
}

/* Pushes the sibling's value, which must stay while *currency is used. */
static void
push_currency(struct schema_input *input, const struct object *object, const struct schema *money,
	      struct slice *currency)
{
	lua_State *L = input->L;
	*currency = schema_fixed_currency(money);
	lua_pushlstring(L, money->currency.data, money->currency.size);
	if (lua_rawget(L, object->table) == LUA_TSTRING)
		currency->data = lua_tolstring(L, -1, &currency->size);
	if (currency->size == 0)
		*currency = schema_currency(input->context);
}

static bool
settle_money(struct schema_input *input, struct object *object, const struct json_place *outer)
{
	lua_State *L = input->L;
	struct json_place place = { .outer = outer };
	for (size_t i = 0; i < object->money_count; i++) {
		const struct waiting_money *waiting = &object->money[i];
		struct slice currency;
		place.key = waiting->field->name;
		push_currency(input, object, &waiting->field->schema, &currency);
		if (!schema_push_money(input, &waiting->field->schema, waiting->text, currency))
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
find_field(struct object *object, struct slice name, size_t *number)
{
	const struct schema *schema = object->schema;
	if (object->next >= schema->field_count || !slice_equal(schema->fields[object->next].name, name)) {
		const struct schema *member = schema_member(schema, name);
		if (member == NULL)
			return NULL;
		object->next = (size_t)(container_of(member, struct schema_field, schema) - schema->fields);
	}
	*number = object->next++;
	return &schema->fields[*number];
}

/* Pushes the word. */
static bool
read_expectation(struct schema_input *input, struct expected *expected, const struct json_place *place)
{
	static const char *const words[] = {
		[EXPECTED_ANY] = "any", [EXPECTED_NO_STREAM] = "no_stream", [EXPECTED_EXISTS] = "stream_exists"
	};
	const struct schema text = { .type = SCHEMA_STRING, .length_max = UINT64_MAX };
	const char *at = input->reader.at;
	if (!read_string(input, &text, place))
		return false;
	for (size_t i = 0; i < countof(words); i++)
		if (strcmp(lua_tostring(input->L, -1), words[i]) == 0) {
			*expected = (struct expected){ (enum expected_kind)i, 0 };
			return true;
		}
	schema_refuse(input->trouble, "bad_value", "a version, \"any\", \"no_stream\" or \"stream_exists\" expected");
	return placed(input, place, at);
}

static bool
take_lifted(struct schema_input *input, const struct json_place *place)
{
	struct schema_lift *lift = input->context->lift;
	const struct schema wanted = { .type = SCHEMA_INTEGER, .has_minimum = true };
	if (is_here(&input->reader, 'n'))
		return json_reader_word(&input->reader, "null", 4) || reader_failed(input);
	if (is_here(&input->reader, '"') ? !read_expectation(input, &lift->expected, place)
					 : !read_number(input, &wanted, place))
		return false;
	if (lua_type(input->L, -1) == LUA_TNUMBER)
		lift->expected = (struct expected){ EXPECTED_EXACTLY, (stream_version)lua_tointeger(input->L, -1) };
	lift->found = true;
	lua_pop(input->L, 1);
	return true;
}

/* A member whose key is on top and whose value comes next. The key is gone after. */
static bool
read_member(struct schema_input *input, struct object *object, const char *key_at, const struct json_place *outer)
{
	lua_State *L = input->L;
	struct json_reader *reader = &input->reader;
	struct json_place place = { .outer = outer };
	const struct schema_lift *lift = outer == NULL ? input->context->lift : NULL;
	size_t number;
	place.key.data = lua_tolstring(L, -1, &place.key.size);
	const struct schema_field *field = find_field(object, place.key, &number);
	if (field == NULL) {
		bool lifted = lift != NULL && slice_equal(place.key, lift->name);
		if (lifted && take_lifted(input, &place)) {
			lua_pop(L, 1);
			return true;
		}
		if (!lifted && input->context->tolerant) {
			bool read = json_reader_value(reader);
			lua_pop(L, read ? 2 : 1);
			return read || reader_failed(input);
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

/* The bytes have a member that the path names too: both must say the same, else a request did what its path denies. */
static bool
agrees(struct schema_input *input, struct object *object, const struct schema_field *field, struct slice value)
{
	lua_State *L = input->L;
	if (field->schema.type == SCHEMA_MONEY) {
		for (size_t i = 0; i < object->money_count; i++)
			if (object->money[i].field == field && slice_equal(object->money[i].text, value))
				return true;
	} else {
		if (!schema_push_text(input, &field->schema, value, SLICE_NONE))
			return false;
		lua_pushlstring(L, field->name.data, field->name.size);
		lua_rawget(L, object->table);
		bool same = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
		if (same)
			return true;
	}
	schema_refuse(input->trouble, "bad_value", "not what the path says");
	return false;
}

/* Parameters become members where the bytes have none; those that no field wants are left to the caller, or refused. */
static bool
add_params(struct schema_input *input, struct object *object)
{
	lua_State *L = input->L;
	for (size_t i = 0; i < input->context->param_count; i++) {
		const struct script_param *param = &input->context->params[i];
		struct json_place place = { .key = param->name };
		size_t number;
		const struct schema_field *field = find_field(object, param->name, &number);
		uint64_t bit = (uint64_t)1 << (number = field != NULL ? number : 0) % 64;
		if (field == NULL && input->context->params_known) {
			schema_refuse(input->trouble, "unknown_parameter", "there is no such parameter");
			return placed(input, &place, NULL);
		}
		if (field == NULL)
			continue;
		if ((object->seen[number / 64] & bit) != 0) {
			if (!agrees(input, object, field, param->value))
				return placed(input, &place, NULL);
			continue;
		}
		object->seen[number / 64] |= bit;
		if (field->schema.type == SCHEMA_MONEY) {
			object->money[object->money_count++] =
				(struct waiting_money){ .field = field, .text = param->value };
			continue;
		}
		lua_pushlstring(L, field->name.data, field->name.size);
		if (!schema_push_text(input, &field->schema, param->value, SLICE_NONE))
			return placed(input, &place, NULL);
		lua_rawset(L, object->table);
	}
	return true;
}

static bool
fill_missing(struct schema_input *input, struct object *object, const struct json_place *outer)
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
			return placed(input, &place,
				      input->reader.at > input->reader.start ? input->reader.at - 1 : input->reader.at);
		}
	}
	return true;
}

static bool
read_members(struct schema_input *input, struct object *object, const struct json_place *place)
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
read_object(struct schema_input *input, const struct schema *schema, const struct json_place *place)
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

/* Of an array or map: an optional one may be null, and stays it, for its place counts. */
static bool
read_element(struct schema_input *input, const struct schema *element, const struct json_place *place)
{
	if (!element->optional || !is_here(&input->reader, 'n'))
		return read_node(input, element, place);
	json_push_null(input->L);
	return json_reader_word(&input->reader, "null", 4) || reader_failed(input);
}

static bool
read_array(struct schema_input *input, const struct schema *schema, const struct json_place *outer)
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
		if (!read_element(input, schema->element, &place))
			return false;
		lua_rawseti(L, -2, ++place.index);
	}
	if (reader->error != NULL)
		return reader_failed(input);
	return schema_check_count(schema, (uint64_t)place.index, input->trouble) || placed(input, outer, at);
}

static bool
read_map(struct schema_input *input, const struct schema *schema, const struct json_place *outer)
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
		if (!read_element(input, schema->element, &place))
			return false;
		lua_rawset(L, -3);
		count++;
	}
	if (reader->error != NULL)
		return reader_failed(input);
	return schema_check_count(schema, count, input->trouble) || placed(input, outer, at);
}

static bool
read_node(struct schema_input *input, const struct schema *schema, const struct json_place *place)
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
	struct schema_input input = { .L = L, .context = context, .trouble = trouble };
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
