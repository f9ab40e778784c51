/* SPDX-License-Identifier: MIT */
/*
 * Compiles the authors' schemas. A schema that says something this room does not know, or contradicts itself, is
 * refused with the place of the word: a silently ignored bound would be a rule that nobody checks.
 *
 * The tree holds copies in the arena and nothing of Lua. Fields are sorted by name, which is the order in which
 * canonical bytes want them. A default is checked against its own schema and kept as canonical stored bytes.
 */
#include "script/lua/schema.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "script/lua/json_writer.h"
#include "script/lua/lib.h"
#include "script/lua/pattern.h"
#include "script/lua/sandbox.h"
#include "script/lua/schema_check.h"

#define NESTED_MAX  32
#define PRESET_MAX  ((size_t)64 << 10)
#define CHOICES_MAX 1000

struct compiler {
	lua_State *L;
	struct arena *arena;
	const char *where;
	struct fault *fault;
	unsigned depth;
};

static bool compile_node(struct compiler *compiler, int index, struct schema *node, const struct json_place *place);

static bool
refuse(struct compiler *compiler, const struct json_place *place, const char *reason)
{
	char path[160];
	json_place_text(place, path, sizeof path);
	fault_set(compiler->fault, FAULT_SCRIPT, "bad_schema", "%s%s%s: %s", compiler->where,
		  path[0] != '\0' ? "." : "", path, reason);
	return false;
}

static bool
refuse_word(struct compiler *compiler, const struct json_place *place, const char *format, const char *word)
{
	char reason[160];
	snprintf(reason, sizeof reason, format, word);
	return refuse(compiler, place, reason);
}

static bool
no_memory(struct compiler *compiler)
{
	fault_set(compiler->fault, FAULT_MEMORY, "memory", "%s: no memory for the schema", compiler->where);
	return false;
}

/* Pushes a field of the schema table, raw; gives its type. */
static int
get(struct compiler *compiler, int index, const char *name)
{
	lua_pushstring(compiler->L, name);
	return lua_rawget(compiler->L, index);
}

static bool
copy_text(struct compiler *compiler, int index, struct slice *copy)
{
	struct slice text;
	text.data = lua_tolstring(compiler->L, index, &text.size);
	*copy = arena_copy(compiler->arena, text);
	return copy->data != NULL || no_memory(compiler);
}

static bool
set_type(struct compiler *compiler, struct slice word, struct schema *node, const struct json_place *place)
{
	static const struct {
		const char *name;
		enum schema_type type;
	} types[] = {
		{ "any", SCHEMA_ANY },       { "string", SCHEMA_STRING },   { "integer", SCHEMA_INTEGER },
		{ "number", SCHEMA_NUMBER }, { "boolean", SCHEMA_BOOLEAN }, { "money", SCHEMA_MONEY },
		{ "time", SCHEMA_TIME },     { "uuid", SCHEMA_UUID },       { "object", SCHEMA_OBJECT },
		{ "array", SCHEMA_ARRAY },   { "map", SCHEMA_MAP },
	};
	struct suggest suggest;
	char name[64], hint[96], reason[160];
	if (word.size > 0 && word.data[word.size - 1] == '?') {
		node->optional = true;
		word.size--;
	}
	for (size_t i = 0; i < countof(types); i++) {
		if (slice_equal(word, slice_text(types[i].name))) {
			node->type = types[i].type;
			return true;
		}
	}
	snprintf(name, sizeof name, "%.*s", SLICE_ARG(word));
	suggest_start(&suggest, slice_text(name));
	for (size_t i = 0; i < countof(types); i++)
		suggest_try(&suggest, types[i].name);
	snprintf(reason, sizeof reason, "unknown type '%s'%s", name, suggest_text(&suggest, hint, sizeof hint));
	return refuse(compiler, place, reason);
}

static bool
refuse_unknown(struct compiler *compiler, const struct json_place *place, const char *word, const char *const *words,
	       size_t count)
{
	struct suggest suggest;
	char hint[96], reason[160];
	suggest_start(&suggest, slice_text(word));
	for (size_t i = 0; i < count; i++)
		suggest_try(&suggest, words[i]);
	snprintf(reason, sizeof reason, "unknown word '%.40s' in a schema%s", word,
		 suggest_text(&suggest, hint, sizeof hint));
	return refuse(compiler, place, reason);
}

static bool
check_words(struct compiler *compiler, int index, const struct json_place *place)
{
	static const char *const words[] = {
		"type",      "optional",  "enum",    "array",    "map", "fields",      "pattern",
		"format",    "minimum",   "maximum", "min",      "max", "min_length",  "max_length",
		"min_items", "max_items", "default", "currency", "doc", "description", "example",
	};
	lua_State *L = compiler->L;
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		bool known = false;
		if (lua_type(L, -1) != LUA_TSTRING)
			return refuse(compiler, place, "a schema's keys are words such as type or fields");
		for (size_t i = 0; i < countof(words) && !known; i++)
			known = strcmp(lua_tostring(L, -1), words[i]) == 0;
		if (!known)
			return refuse_unknown(compiler, place, lua_tostring(L, -1), words, countof(words));
	}
	return true;
}

static int
field_compare(const void *left, const void *right)
{
	const struct schema_field *a = left, *b = right;
	return slice_compare(a->name, b->name);
}

/* The fields in the table on top. */
static bool
compile_fields(struct compiler *compiler, struct schema *node, const struct json_place *outer)
{
	lua_State *L = compiler->L;
	int table = lua_gettop(L);
	size_t count = 0, money = 0;
	struct json_place place = { .outer = outer };
	if (lua_type(L, table) != LUA_TTABLE)
		return refuse(compiler, outer, "fields must be a table of name = schema");
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
		count++;
	if (count > SCHEMA_FIELDS_MAX)
		return refuse(compiler, outer, "more than 256 fields");
	struct schema_field *fields = arena_zero(compiler->arena, count > 0 ? count : 1, sizeof *fields);
	if (fields == NULL)
		return no_memory(compiler);
	lua_pushnil(L);
	for (size_t at = 0; lua_next(L, table); at++) {
		if (lua_type(L, -2) != LUA_TSTRING)
			return refuse(compiler, outer, "a field's name must be text");
		if (!copy_text(compiler, -2, &fields[at].name))
			return false;
		place.key = fields[at].name;
		if (!compile_node(compiler, lua_gettop(L), &fields[at].schema, &place))
			return false;
		money += fields[at].schema.type == SCHEMA_MONEY;
		lua_pop(L, 1);
	}
	if (money > SCHEMA_MONEY_MAX)
		return refuse(compiler, outer, "more than 32 money fields in one object");
	qsort(fields, count, sizeof *fields, field_compare);
	node->fields = fields;
	node->field_count = count;
	return true;
}

static bool
compile_element(struct compiler *compiler, struct schema *node, enum schema_type type, const struct json_place *place)
{
	struct schema *element = arena_zero(compiler->arena, 1, sizeof *element);
	struct json_place inside = { .outer = place, .key = SLICE("[]") };
	if (element == NULL)
		return no_memory(compiler);
	node->type = type;
	node->element = element;
	return compile_node(compiler, lua_gettop(compiler->L), element, &inside);
}

/* type, array, map, fields, enum: what kind of value it is. */
static bool
compile_shape(struct compiler *compiler, int index, struct schema *node, const struct json_place *place)
{
	lua_State *L = compiler->L;
	bool typed = get(compiler, index, "type") == LUA_TSTRING, shaped = true;
	if (!typed && !lua_isnil(L, -1))
		return refuse(compiler, place, "type must be a word such as \"string\"");
	if (typed) {
		struct slice word;
		word.data = lua_tolstring(L, -1, &word.size);
		if (!set_type(compiler, word, node, place))
			return false;
	}
	enum schema_type declared = node->type;
	if (get(compiler, index, "array") != LUA_TNIL) {
		if (!compile_element(compiler, node, SCHEMA_ARRAY, place))
			return false;
	} else if (get(compiler, index, "map") != LUA_TNIL) {
		if (!compile_element(compiler, node, SCHEMA_MAP, place))
			return false;
	} else if (get(compiler, index, "fields") != LUA_TNIL) {
		node->type = SCHEMA_OBJECT;
		if (!compile_fields(compiler, node, place))
			return false;
	} else {
		shaped = false;
	}
	lua_settop(L, index);
	if (shaped && typed && declared != node->type)
		return refuse(compiler, place, "type contradicts array, map or fields");
	if (!shaped && (node->type == SCHEMA_ARRAY || node->type == SCHEMA_MAP))
		return refuse(compiler, place, "an array or map says of what: { array = \"string\" }");
	node->open = node->type == SCHEMA_OBJECT && !shaped;
	if (typed || shaped)
		return true;
	if (get(compiler, index, "enum") != LUA_TTABLE)
		return refuse(compiler, place, "a schema needs type, array, map, fields or enum");
	lua_rawgeti(L, -1, 1);
	node->type = lua_type(L, -1) == LUA_TNUMBER ? SCHEMA_INTEGER : SCHEMA_STRING;
	lua_settop(L, index);
	return true;
}

static bool
compile_choices(struct compiler *compiler, int index, struct schema *node, const struct json_place *place)
{
	lua_State *L = compiler->L;
	if (get(compiler, index, "enum") == LUA_TNIL)
		return true;
	if (lua_type(L, -1) != LUA_TTABLE || (node->type != SCHEMA_STRING && node->type != SCHEMA_INTEGER))
		return refuse(compiler, place, "enum is a list of texts or integers");
	size_t count = lua_rawlen(L, -1);
	if (count == 0 || count > CHOICES_MAX)
		return refuse(compiler, place, "enum has no choices, or more than 1000");
	struct slice *choices = arena_zero(compiler->arena, count, sizeof *choices);
	if (choices == NULL)
		return no_memory(compiler);
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		bool fits = node->type == SCHEMA_STRING ? lua_type(L, -1) == LUA_TSTRING : lua_isinteger(L, -1);
		if (!fits)
			return refuse(compiler, place, "enum: each choice must be of the schema's type");
		if (!copy_text(compiler, lua_gettop(L), &choices[i]))
			return false;
		lua_pop(L, 1);
	}
	node->choices = choices;
	node->choice_count = count;
	return true;
}

static bool
read_time(lua_State *L, int64_t *time)
{
	if (lua_isinteger(L, -1)) {
		*time = lua_tointeger(L, -1);
		return true;
	}
	return lua_type(L, -1) == LUA_TSTRING && clock_parse(lua_tostring(L, -1), time) == 0;
}

static bool
compile_bound(struct compiler *compiler, int index, const char *name, struct schema *node, bool *has,
	      union schema_bound *bound, const struct json_place *place)
{
	lua_State *L = compiler->L;
	if (get(compiler, index, name) == LUA_TNIL)
		return true;
	if (*has)
		return refuse_word(compiler, place, "%s is there twice", name);
	bool fits = false;
	if (node->type == SCHEMA_NUMBER && lua_type(L, -1) == LUA_TNUMBER) {
		bound->number = lua_tonumber(L, -1);
		fits = isfinite(bound->number);
	} else if ((node->type == SCHEMA_INTEGER || node->type == SCHEMA_MONEY) && lua_isinteger(L, -1)) {
		bound->integer = lua_tointeger(L, -1);
		fits = true;
	} else if (node->type == SCHEMA_TIME) {
		fits = read_time(L, &bound->integer);
	}
	*has = true;
	return fits || refuse_word(compiler, place, "%s does not fit the type (money: integer minor units)", name);
}

static bool
compile_length(struct compiler *compiler, int index, const char *name, bool of_text, struct schema *node,
	       uint64_t *length, const struct json_place *place)
{
	lua_State *L = compiler->L;
	if (get(compiler, index, name) == LUA_TNIL)
		return true;
	bool fits = of_text ? node->type == SCHEMA_STRING : node->type == SCHEMA_ARRAY || node->type == SCHEMA_MAP;
	if (!fits)
		return refuse_word(compiler, place, "%s does not fit the type", name);
	if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 0)
		return refuse_word(compiler, place, "%s must be an integer from 0", name);
	*length = (uint64_t)lua_tointeger(L, -1);
	return true;
}

static bool
compile_bounds(struct compiler *compiler, int index, struct schema *node, const struct json_place *place)
{
	node->length_max = UINT64_MAX;
	return compile_bound(compiler, index, "minimum", node, &node->has_minimum, &node->minimum, place) &&
	       compile_bound(compiler, index, "min", node, &node->has_minimum, &node->minimum, place) &&
	       compile_bound(compiler, index, "maximum", node, &node->has_maximum, &node->maximum, place) &&
	       compile_bound(compiler, index, "max", node, &node->has_maximum, &node->maximum, place) &&
	       compile_length(compiler, index, "min_length", true, node, &node->length_min, place) &&
	       compile_length(compiler, index, "max_length", true, node, &node->length_max, place) &&
	       compile_length(compiler, index, "min_items", false, node, &node->length_min, place) &&
	       compile_length(compiler, index, "max_items", false, node, &node->length_max, place);
}

static bool
compile_pattern(struct compiler *compiler, int index, struct schema *node, const struct json_place *place)
{
	struct pattern state;
	const char *start;
	if (get(compiler, index, "pattern") == LUA_TNIL)
		return true;
	if (lua_type(compiler->L, -1) != LUA_TSTRING || node->type != SCHEMA_STRING)
		return refuse(compiler, place, "pattern is a text, for strings");
	if (!copy_text(compiler, lua_gettop(compiler->L), &node->pattern))
		return false;
	pattern_init(&state, SLICE("a"), node->pattern, 1000);
	pattern_search(&state, state.subject, node->pattern, &start);
	return state.error == NULL || refuse_word(compiler, place, "pattern: %s", state.error);
}

static bool
compile_format(struct compiler *compiler, int index, struct schema *node, const struct json_place *place)
{
	static const struct {
		const char *name;
		enum schema_format format;
	} formats[] = { { "email", SCHEMA_FORMAT_EMAIL },
			{ "uuid", SCHEMA_FORMAT_UUID },
			{ "date", SCHEMA_FORMAT_DATE },
			{ "date-time", SCHEMA_FORMAT_DATE_TIME } };
	lua_State *L = compiler->L;
	if (get(compiler, index, "format") == LUA_TNIL)
		return true;
	if (lua_type(L, -1) != LUA_TSTRING || node->type != SCHEMA_STRING)
		return refuse(compiler, place, "format is a word, for strings");
	for (size_t i = 0; i < countof(formats); i++)
		if (strcmp(lua_tostring(L, -1), formats[i].name) == 0)
			node->format = formats[i].format;
	return node->format != SCHEMA_FORMAT_NONE ||
	       refuse_word(compiler, place, "unknown format '%s' (email, uuid, date, date-time)", lua_tostring(L, -1));
}

static bool
compile_rest(struct compiler *compiler, int index, struct schema *node, const struct json_place *place)
{
	lua_State *L = compiler->L;
	int type = get(compiler, index, "optional");
	if (type != LUA_TNIL && type != LUA_TBOOLEAN)
		return refuse(compiler, place, "optional is true or false");
	node->optional |= lua_toboolean(L, -1);
	type = get(compiler, index, "currency");
	if (type != LUA_TNIL && (type != LUA_TSTRING || node->type != SCHEMA_MONEY))
		return refuse(compiler, place, "currency names the field beside an amount");
	return type == LUA_TNIL || copy_text(compiler, lua_gettop(L), &node->currency);
}

static bool
compile_preset(struct compiler *compiler, int index, struct schema *node, const struct json_place *place)
{
	lua_State *L = compiler->L;
	struct schema_context context = { .mode = SCHEMA_STORED };
	struct schema_trouble trouble;
	if (get(compiler, index, "default") == LUA_TNIL)
		return true;
	struct buf *bytes = lib_push_buf(L, PRESET_MAX);
	int written = schema_write(L, -2, node, &context, bytes, &trouble);
	if (written == 0)
		node->preset = arena_copy(compiler->arena, buf_slice(bytes));
	buf_fini(bytes);
	buf_init(bytes, 0);
	if (written != 0)
		return refuse_word(compiler, place, "default: %.120s", trouble.reason);
	return node->preset.data != NULL || no_memory(compiler);
}

static bool
compile_node(struct compiler *compiler, int index, struct schema *node, const struct json_place *place)
{
	lua_State *L = compiler->L;
	bool done = false;
	luaL_checkstack(L, 16, NULL);
	if (sandbox_thaw(L, index))
		index = lua_gettop(L);
	int top = lua_gettop(L);
	node->length_max = UINT64_MAX;
	node->currency = SLICE("currency");
	if (++compiler->depth > NESTED_MAX)
		return refuse(compiler, place, "nested too deeply");
	if (lua_type(L, index) == LUA_TSTRING) {
		struct slice word;
		word.data = lua_tolstring(L, index, &word.size);
		done = set_type(compiler, word, node, place);
		if (done && (node->type == SCHEMA_ARRAY || node->type == SCHEMA_MAP))
			done = refuse(compiler, place, "an array or map says of what: { array = \"string\" }");
		node->open = node->type == SCHEMA_OBJECT;
	} else if (lua_type(L, index) == LUA_TTABLE) {
		if (index != top) {
			lua_pushvalue(L, index);
			index = ++top;
		}
		done = check_words(compiler, index, place) && compile_shape(compiler, index, node, place) &&
		       compile_choices(compiler, index, node, place) && compile_bounds(compiler, index, node, place) &&
		       compile_pattern(compiler, index, node, place) && compile_format(compiler, index, node, place) &&
		       compile_rest(compiler, index, node, place) && compile_preset(compiler, index, node, place);
	} else {
		refuse(compiler, place, "a schema is a word such as \"string\" or a table");
	}
	lua_settop(L, top);
	compiler->depth--;
	return done;
}

static int
compile(lua_State *L, int index, struct arena *arena, const char *where, bool fields, struct schema **schema,
	struct fault *fault)
{
	struct compiler compiler = { .L = L, .arena = arena, .where = where, .fault = fault };
	struct schema *node = arena_zero(arena, 1, sizeof *node);
	int top = lua_gettop(L);
	bool done = node != NULL || no_memory(&compiler);
	luaL_checkstack(L, 16, NULL);
	index = lua_absindex(L, index);
	if (done && fields) {
		node->type = SCHEMA_OBJECT;
		node->length_max = UINT64_MAX;
		if (!sandbox_thaw(L, index))
			lua_pushvalue(L, index);
		done = lua_isnil(L, -1) || compile_fields(&compiler, node, NULL);
	} else if (done) {
		done = compile_node(&compiler, index, node, NULL);
	}
	lua_settop(L, top);
	*schema = node;
	return done ? 0 : -1;
}

int
schema_compile(lua_State *L, int index, struct arena *arena, const char *where, struct schema **schema,
	       struct fault *fault)
{
	return compile(L, index, arena, where, false, schema, fault);
}

int
schema_compile_fields(lua_State *L, int index, struct arena *arena, const char *where, struct schema **schema,
		      struct fault *fault)
{
	return compile(L, index, arena, where, true, schema, fault);
}

const struct schema *
schema_member(const struct schema *object, struct slice name)
{
	size_t low = 0, high = object->field_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = slice_compare(object->fields[middle].name, name);
		if (order == 0)
			return &object->fields[middle].schema;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

int
schema_fault(const struct schema_trouble *trouble, enum fault_class class, struct fault *fault)
{
	fault_set(fault, class, trouble->code, "%s%s%s", trouble->path, trouble->path[0] != '\0' ? ": " : "",
		  trouble->reason);
	if (fault != NULL && trouble->offset >= 0) {
		size_t used = strlen(fault->text);
		snprintf(fault->text + used, sizeof fault->text - used, " (offset %lld)", (long long)trouble->offset);
	}
	return -1;
}
