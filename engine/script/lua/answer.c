/* SPDX-License-Identifier: MIT */
/*
 * Promises: what rules answer leaves as canonical JSON; rows that came from a view carry their table with
 * them, so that money becomes decimals of its currency and times become ISO 8601 text without the author's
 * help. A schema, where given, decides instead.
 *
 * A row that was changed or extended is still a row; its columns keep their meaning, further fields are
 * written as they are. Column order is worked out once a program, so a row is written without sorting unless
 * it has further fields.
 */
#include <lauxlib.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "script/lua/machine.h"
#include "script/lua/money.h"

#define ANSWER_DEPTH_MAX    32
#define ANSWER_BYTES_MAX    ((size_t)16 << 20)
#define REFUSAL_MESSAGE_MAX 4096

struct answer {
	struct moon_machine *machine;
	uint32_t handler;
	struct buf *out;
};

static void write_value(lua_State *L, const struct answer *answer, int depth);

static void
write_plain(lua_State *L, const struct answer *answer)
{
	struct fault fault;
	if (json_write(L, -1, answer->out, NULL, &fault) != 0)
		moon_fail(L, answer->handler, FAULT_SCRIPT, "bad_result", "the answer: %s", fault.text);
}

/* The row at `at`. */
static unsigned
row_decimals(lua_State *L, const struct answer *answer, int at, uint16_t table, uint16_t column)
{
	const struct moon_program *program = answer->machine->program;
	uint16_t named = program->tables[table].currency_column[column];
	struct slice currency = program->currency.size > 0 ? program->currency : SLICE("EUR");
	if (named != 0) {
		struct slice name = program->door.tables[table].columns[named - 1].name;
		lua_pushlstring(L, name.data, name.size);
		if (lua_rawget(L, at) == LUA_TSTRING)
			currency.data = lua_tolstring(L, -1, &currency.size);
		unsigned decimals = money_decimals(currency);
		lua_pop(L, 1);
		return decimals;
	}
	return money_decimals(currency);
}

/* The value on top, of a column; stays. */
static void
write_cell(lua_State *L, const struct answer *answer, int row, uint16_t table, uint16_t column, int depth)
{
	enum column_type type = answer->machine->program->door.tables[table].columns[column].type;
	if (type == COLUMN_MONEY && lua_isinteger(L, -1)) {
		char text[MONEY_TEXT_SIZE];
		unsigned decimals = row_decimals(L, answer, row, table, column);
		size_t size = money_format(lua_tointeger(L, -1), decimals, text);
		buf_add(answer->out, slice_from(text, size));
	} else if (type == COLUMN_TIME && lua_isinteger(L, -1)) {
		char text[CLOCK_TEXT_SIZE];
		clock_format(lua_tointeger(L, -1), text);
		buf_format(answer->out, "\"%s\"", text);
	} else {
		write_value(L, answer, depth);
	}
}

static int
compare_keys(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static size_t
count_keys(lua_State *L, const struct answer *answer, int at)
{
	size_t count = 0;
	lua_pushnil(L);
	while (lua_next(L, at)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TSTRING)
			moon_fail(L, answer->handler, FAULT_SCRIPT, "bad_result",
				  "the answer: a table with both names and numbers as keys");
		count++;
	}
	return count;
}

/* A userdata with the sorted keys, pushed. */
static struct slice *
sorted_keys(lua_State *L, int at, size_t count)
{
	struct slice *keys = lua_newuserdatauv(L, (count > 0 ? count : 1) * sizeof *keys, 0);
	size_t filled = 0;
	lua_pushnil(L);
	while (lua_next(L, at)) {
		lua_pop(L, 1);
		keys[filled].data = lua_tolstring(L, -1, &keys[filled].size);
		filled++;
	}
	qsort(keys, count, sizeof *keys, compare_keys);
	return keys;
}

static void
write_key(const struct answer *answer, struct slice key, bool *first)
{
	if (!*first)
		buf_byte(answer->out, ',');
	*first = false;
	json_quote(answer->out, key);
	buf_byte(answer->out, ':');
}

static int
column_named(const struct table *table, struct slice name)
{
	for (uint16_t i = 0; i < table->column_count; i++)
		if (slice_equal(table->columns[i].name, name))
			return i;
	return -1;
}

static void
write_object(lua_State *L, const struct answer *answer, int at, int table, int depth)
{
	bool first = true;
	size_t count = count_keys(L, answer, at);
	const struct slice *keys = sorted_keys(L, at, count);
	const struct table *shape = table >= 0 ? &answer->machine->program->door.tables[table] : NULL;
	buf_byte(answer->out, '{');
	for (size_t i = 0; i < count; i++) {
		int column = shape != NULL ? column_named(shape, keys[i]) : -1;
		write_key(answer, keys[i], &first);
		lua_pushlstring(L, keys[i].data, keys[i].size);
		lua_rawget(L, at);
		if (column >= 0)
			write_cell(L, answer, at, (uint16_t)table, (uint16_t)column, depth + 1);
		else
			write_value(L, answer, depth + 1);
		lua_pop(L, 1);
	}
	buf_byte(answer->out, '}');
	lua_pop(L, 1);
}

/* A row without further fields: by its columns, sorted already. */
static bool
write_row(lua_State *L, const struct answer *answer, int at, uint16_t table, int depth)
{
	const struct table *shape = &answer->machine->program->door.tables[table];
	const uint16_t *sorted = answer->machine->program->tables[table].sorted;
	size_t start = answer->out->size, left = count_keys(L, answer, at);
	bool first = true;
	buf_byte(answer->out, '{');
	for (uint16_t i = 0; i < shape->column_count; i++) {
		struct slice name = shape->columns[sorted[i]].name;
		lua_pushlstring(L, name.data, name.size);
		if (lua_rawget(L, at) != LUA_TNIL) {
			left--;
			write_key(answer, name, &first);
			write_cell(L, answer, at, table, sorted[i], depth + 1);
		}
		lua_pop(L, 1);
	}
	buf_byte(answer->out, '}');
	if (left == 0)
		return true;
	answer->out->size = start;
	return false;
}

static void
write_list(lua_State *L, const struct answer *answer, int at, int depth)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, at);
	buf_byte(answer->out, '[');
	for (lua_Integer i = 1; i <= count; i++) {
		if (i > 1)
			buf_byte(answer->out, ',');
		lua_rawgeti(L, at, i);
		write_value(L, answer, depth + 1);
		lua_pop(L, 1);
	}
	buf_byte(answer->out, ']');
}

static void
write_value(lua_State *L, const struct answer *answer, int depth)
{
	if (lua_type(L, -1) != LUA_TTABLE || json_is_null(L, -1)) {
		write_plain(L, answer);
		return;
	}
	if (depth == ANSWER_DEPTH_MAX)
		moon_fail(L, answer->handler, FAULT_SCRIPT, "bad_result",
			  "the answer: nested more than %d deep (or in a circle)", ANSWER_DEPTH_MAX);
	luaL_checkstack(L, 10, "answer nested too deeply");
	int at = lua_gettop(L);
	int table = moon_row_table(L, at);
	if (table >= 0) {
		if (!write_row(L, answer, at, (uint16_t)table, depth))
			write_object(L, answer, at, table, depth);
		return;
	}
	if (sandbox_thaw(L, at)) {
		write_value(L, answer, depth + 1);
		lua_pop(L, 1);
	} else if (json_is_array(L, at) || lua_rawlen(L, at) > 0) {
		write_list(L, answer, at, depth);
	} else {
		write_object(L, answer, at, -1, depth);
	}
}

void
moon_answer_write(lua_State *L, int index, const struct schema *schema, uint32_t handler, struct buf *out)
{
	struct moon_machine *machine = moon_machine_of(L);
	const struct answer answer = { machine, handler, out };
	size_t start = out->size;
	lua_pushvalue(L, index);
	if (schema == NULL) {
		write_value(L, &answer, 0);
	} else {
		const struct schema_context context = { .mode = SCHEMA_WIRE, .currency = machine->program->currency };
		struct schema_trouble trouble;
		if (schema_write(L, lua_gettop(L), schema, &context, out, &trouble) != 0)
			moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "the answer: %s%s%s", trouble.path,
				  trouble.path[0] != '\0' ? ": " : "", trouble.reason);
	}
	lua_pop(L, 1);
	if (out->failed || out->size - start > ANSWER_BYTES_MAX)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "the answer is longer than %zu bytes",
			  ANSWER_BYTES_MAX);
}

/* ---- refusals ---- */

static bool
code_ok(struct slice code)
{
	if (code.size == 0 || code.size > 39 || code.data[0] < 'a' || code.data[0] > 'z')
		return false;
	for (size_t i = 0; i < code.size; i++) {
		char c = code.data[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}

static void
refusal_field(lua_State *L, uint32_t handler, struct moon_refusal *refusal, struct buf *details)
{
	const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[number]";
	struct slice text = SLICE_NONE;
	struct fault fault;
	if (lua_type(L, -1) == LUA_TSTRING)
		text.data = lua_tolstring(L, -1, &text.size);
	if (strcmp(key, "code") == 0 && code_ok(text)) {
		refusal->code = text;
	} else if (strcmp(key, "message") == 0 && text.data != NULL) {
		if (text.size > REFUSAL_MESSAGE_MAX)
			moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "a refusal's message of more than %d bytes",
				  REFUSAL_MESSAGE_MAX);
		refusal->message = text;
	} else if (strcmp(key, "status") == 0 && lua_isinteger(L, -1)) {
		lua_Integer status = lua_tointeger(L, -1);
		if (status < 400 || status > 499)
			moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "a refusal's status is 400 to 499, not %d",
				  (int)status);
		refusal->status = (uint16_t)status;
	} else if (strcmp(key, "details") == 0 && lua_type(L, -1) == LUA_TTABLE) {
		if (details != NULL && json_write(L, -1, details, NULL, &fault) != 0)
			moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "a refusal's details: %s", fault.text);
	} else {
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result",
			  "a refusal's field '%s' is wrong: { code = \"snake_case\", message?, status?, details? }",
			  key);
	}
}

void
moon_refusal_read(lua_State *L, int index, uint32_t handler, struct moon_refusal *refusal, struct buf *details)
{
	index = lua_absindex(L, index);
	*refusal = (struct moon_refusal){ .status = 422 };
	if (lua_type(L, index) != LUA_TTABLE)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "a refusal is a table { code = ... }, not a %s",
			  luaL_typename(L, index));
	if (sandbox_thaw(L, index))
		lua_replace(L, index);
	lua_pushnil(L);
	while (lua_next(L, index)) {
		refusal_field(L, handler, refusal, details);
		lua_pop(L, 1);
	}
	if (refusal->code.size == 0)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "a refusal without a code");
}
