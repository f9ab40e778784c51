/* SPDX-License-Identifier: MIT */
/*
 * Promises: what a script writes into a row is checked against the table's columns - names, types, lengths, nulls -
 * before the view sees it, with a message that names table and column; what it reads comes back as the same values.
 *
 * Cells borrow texts of Lua strings that the argument keeps alive during the call, or of the machine's arena.
 */
#include <lauxlib.h>
#include <math.h>

#include "base/json.h"
#include "script/lua/machine.h"

static const char key_row_table = 0;

static const char *
type_name(enum column_type type)
{
	static const char *const names[] = {
		[COLUMN_TEXT] = "text",       [COLUMN_INTEGER] = "integer", [COLUMN_REAL] = "real",
		[COLUMN_BOOLEAN] = "boolean", [COLUMN_MONEY] = "money",     [COLUMN_TIME] = "time",
		[COLUMN_JSON] = "json",
	};
	return names[type];
}

static const struct table *
table_of(lua_State *L, uint16_t table)
{
	return &moon_machine_of(L)->program->door.tables[table];
}

static size_t
characters(struct slice text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.size; i++)
		count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
	return count;
}

static void
read_text(lua_State *L, int index, const struct table *table, const struct column *column, struct cell *cell)
{
	cell->kind = CELL_TEXT;
	cell->text.data = lua_tolstring(L, index, &cell->text.size);
	if (!json_utf8(cell->text))
		luaL_error(L, "%s.%s: the text is not UTF-8; a text is cut by utf8.offset, not by bytes",
			   table->name.data, column->name.data);
	if (cell->text.size > JSON_STRING_BYTES) /* no query could answer with it */
		luaL_error(L, "%s.%s: a text of %d bytes, at most %d fit", table->name.data, column->name.data,
			   (int)cell->text.size, (int)JSON_STRING_BYTES);
	if (column->length_max > 0 && cell->text.size > column->length_max &&
	    characters(cell->text) > column->length_max)
		luaL_error(L, "%s.%s: a text of %d characters, at most %d fit", table->name.data, column->name.data,
			   (int)characters(cell->text), (int)column->length_max);
}

static void
read_json(lua_State *L, int index, const struct table *table, const struct column *column, struct cell *cell)
{
	struct moon_machine *machine = moon_machine_of(L);
	struct fault fault;
	buf_clear(&machine->scratch);
	if (json_write(L, index, &machine->scratch, NULL, &fault) != 0)
		luaL_error(L, "%s.%s: %s", table->name.data, column->name.data, fault.text);
	cell->kind = CELL_TEXT;
	cell->text = moon_keep(L, &machine->arena, buf_slice(&machine->scratch));
}

void
moon_cell_read(lua_State *L, int index, uint16_t number, uint16_t column_number, struct cell *cell)
{
	const struct table *table = table_of(L, number);
	const struct column *column = &table->columns[column_number];
	int type = lua_type(L, index), exact = 0;
	*cell = (struct cell){ .kind = CELL_NULL };
	if (type == LUA_TNIL || (json_is_null(L, index) && column->type != COLUMN_JSON)) {
		if (!column->optional)
			luaL_error(L, "%s.%s is missing (write \"%s?\" for a column that may be empty)",
				   table->name.data, column->name.data, type_name(column->type));
		return;
	}
	cell->kind = CELL_INTEGER;
	switch (column->type) {
	case COLUMN_TEXT:
		if (type == LUA_TSTRING) {
			read_text(L, index, table, column, cell);
			return;
		}
		break;
	case COLUMN_REAL:
		if (type == LUA_TNUMBER && isfinite(lua_tonumber(L, index))) {
			cell->kind = CELL_REAL;
			cell->real = lua_tonumber(L, index);
			return;
		}
		break;
	case COLUMN_BOOLEAN:
		if (type == LUA_TBOOLEAN) {
			cell->integer = lua_toboolean(L, index);
			return;
		}
		break;
	case COLUMN_INTEGER:
	case COLUMN_MONEY:
	case COLUMN_TIME:
		if (type == LUA_TNUMBER)
			cell->integer = lua_tointegerx(L, index, &exact);
		if (exact)
			return;
		break;
	case COLUMN_JSON:
		read_json(L, index, table, column, cell);
		return;
	}
	if (type == LUA_TNUMBER)
		luaL_error(L, "%s.%s takes %s, not the number %f", table->name.data, column->name.data,
			   type_name(column->type), lua_tonumber(L, index));
	luaL_error(L, "%s.%s takes %s, not a %s", table->name.data, column->name.data, type_name(column->type),
		   lua_typename(L, type));
}

/* Pushes the array of the table's column names: taking a text from it is a tenth of making it known to Lua again. */
static int
push_names(lua_State *L, uint16_t number)
{
	struct moon_machine *machine = moon_machine_of(L);
	const struct table *table = table_of(L, number);
	if (machine->column_names[number] == 0) {
		lua_createtable(L, table->column_count, 0);
		for (uint16_t i = 0; i < table->column_count; i++) {
			lua_pushlstring(L, table->columns[i].name.data, table->columns[i].name.size);
			lua_rawseti(L, -2, i + 1);
		}
		machine->column_names[number] = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->column_names[number]);
	return lua_gettop(L);
}

static int
count_fields(lua_State *L, int index)
{
	int count = 0;
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
		count++;
	return count;
}

static void
refuse_unknown(lua_State *L, int index, const struct table *table)
{
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		bool known = false;
		if (lua_type(L, -1) == LUA_TSTRING) {
			struct slice name;
			name.data = lua_tolstring(L, -1, &name.size);
			for (uint16_t i = 0; i < table->column_count && !known; i++)
				known = slice_equal(name, table->columns[i].name);
			if (!known)
				luaL_error(L, "%s has no column '%s'", table->name.data, name.data);
		} else {
			luaL_error(L, "%s takes a table of columns by name", table->name.data);
		}
	}
}

static struct cell *
new_cells(lua_State *L, uint16_t count)
{
	struct cell *cells = moon_alloc(L, &moon_machine_of(L)->arena, count, sizeof *cells);
	for (uint16_t i = 0; i < count; i++)
		cells[i].kind = CELL_UNSET;
	return cells;
}

struct cell *
moon_row_read(lua_State *L, int index, uint16_t number, bool whole)
{
	const struct table *table = table_of(L, number);
	luaL_checktype(L, index, LUA_TTABLE);
	luaL_checkstack(L, table->column_count + 8, NULL);
	struct cell *cells = new_cells(L, table->column_count);
	int names = push_names(L, number), found = 0;
	for (uint16_t i = 0; i < table->column_count; i++) {
		lua_rawgeti(L, names, i + 1);
		found += lua_rawget(L, index) != LUA_TNIL;
	}
	if (found != count_fields(L, index))
		refuse_unknown(L, index, table);
	for (uint16_t i = 0; i < table->column_count; i++)
		if (whole || !lua_isnil(L, names + 1 + i))
			moon_cell_read(L, names + 1 + i, number, i, &cells[i]);
	lua_settop(L, names - 1);
	return cells;
}

struct cell *
moon_key_read(lua_State *L, int index, uint16_t number)
{
	const struct table *table = table_of(L, number);
	const struct column_set *key = &table->key;
	struct cell *cells = new_cells(L, key->count);
	if (lua_type(L, index) != LUA_TTABLE) {
		if (key->count != 1)
			luaL_error(L, "the key of %s has %d columns: give a table", table->name.data, (int)key->count);
		moon_cell_read(L, index, number, key->columns[0], &cells[0]);
		return cells;
	}
	luaL_checkstack(L, key->count + 8, NULL);
	int names = push_names(L, number), found = 0, given = count_fields(L, index);
	for (uint16_t i = 0; i < key->count; i++) {
		lua_rawgeti(L, names, key->columns[i] + 1);
		found += lua_rawget(L, index) != LUA_TNIL;
	}
	if (found != given)
		refuse_unknown(L, index, table);
	if (given > key->count && moon_row_table(L, index) < 0)
		luaL_error(L, "a key of %s has other columns than the table's key", table->name.data);
	for (uint16_t i = 0; i < key->count; i++)
		moon_cell_read(L, names + 1 + i, number, key->columns[i], &cells[i]);
	lua_settop(L, names - 1);
	return cells;
}

static void
push_cell(lua_State *L, const struct column *column, const struct cell *cell)
{
	struct fault fault;
	if (cell->kind == CELL_NULL || cell->kind == CELL_UNSET)
		lua_pushnil(L);
	else if (cell->kind == CELL_REAL)
		lua_pushnumber(L, cell->real);
	else if (cell->kind == CELL_TEXT && column->type == COLUMN_JSON && json_read(L, cell->text, NULL, &fault) != 0)
		moon_fail_fault(L, &fault);
	else if (cell->kind == CELL_TEXT && column->type != COLUMN_JSON)
		lua_pushlstring(L, cell->text.data != NULL ? cell->text.data : "", cell->text.size);
	else if (cell->kind == CELL_INTEGER && column->type == COLUMN_BOOLEAN)
		lua_pushboolean(L, cell->integer != 0);
	else if (cell->kind == CELL_INTEGER && column->type == COLUMN_REAL)
		lua_pushnumber(L, (lua_Number)cell->integer);
	else if (cell->kind == CELL_INTEGER)
		lua_pushinteger(L, cell->integer);
}

void
moon_row_push(lua_State *L, uint16_t number, const struct row *row)
{
	struct moon_machine *machine = moon_machine_of(L);
	const struct table *table = table_of(L, number);
	luaL_checkstack(L, 8, NULL);
	int names = push_names(L, number);
	lua_createtable(L, 0, table->column_count);
	for (uint16_t i = 0; i < table->column_count; i++) {
		lua_rawgeti(L, names, i + 1);
		push_cell(L, &table->columns[i], &row->cells[i]);
		lua_rawset(L, names + 1);
	}
	lua_remove(L, names);
	if (machine->row_tables[number] == 0) {
		lua_createtable(L, 0, 2);
		lua_pushinteger(L, number + 1);
		lua_rawsetp(L, -2, &key_row_table);
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
		machine->row_tables[number] = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->row_tables[number]);
	lua_setmetatable(L, -2);
}

int
moon_row_table(lua_State *L, int index)
{
	if (!lua_getmetatable(L, index))
		return -1;
	lua_rawgetp(L, -1, &key_row_table);
	int table = lua_isinteger(L, -1) ? (int)lua_tointeger(L, -1) - 1 : -1;
	lua_pop(L, 2);
	return table;
}
