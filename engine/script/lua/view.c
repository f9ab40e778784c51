/* SPDX-License-Identifier: MIT */
/*
 * Promises: `view` gives a script the tables it may touch and nothing else: a projection its own, for writing;
 * a query all of the domain, for reading. The rows of the call that runs now stand behind it; outside of a
 * call it raises.
 *
 * A fault of the view is raised in Lua with its own class. Only what a script may mend (INPUT: a duplicate, a
 * bad value) can be caught by its pcall; all others end the call, whatever the script does.
 */
#include <lauxlib.h>

#include "script/lua/machine.h"

/* Upvalue 1 of every method: the table's number in the program. Each takes the table's object first. */
static uint16_t
table_number(lua_State *L)
{
	return (uint16_t)lua_tointeger(L, lua_upvalueindex(1));
}

/* Also rewinds the arena: what the last row operation gave has been pushed. */
static const struct row_port *
port_now(lua_State *L, bool writing)
{
	struct moon_machine *machine = moon_machine_of(L);
	if (machine->rows == NULL)
		luaL_error(L, "view outside of a call: it is of use only while the handler that got it runs");
	if (writing && !machine->rows_writable)
		luaL_error(L, "a query cannot change rows");
	if (lua_type(L, 1) != LUA_TTABLE)
		luaL_error(L, "a method of a view's table needs the colon: view.%s:get(...)",
			   machine->program->door.tables[table_number(L)].name.data);
	arena_clear(&machine->arena);
	return machine->rows;
}

/* The number of the program's table in the port. */
static uint16_t
port_table(lua_State *L, const struct row_port *port)
{
	const struct table *table = &moon_machine_of(L)->program->door.tables[table_number(L)];
	uint16_t number = table_number(L);
	if (number < port->table_count && slice_equal(port->tables[number].name, table->name))
		return number;
	for (uint16_t i = 0; i < port->table_count; i++)
		if (slice_equal(port->tables[i].name, table->name))
			return i;
	luaL_error(L, "the view has no table %s", table->name.data);
	return 0;
}

static void
check_port(lua_State *L, int result, const struct fault *fault)
{
	struct moon_machine *machine = moon_machine_of(L);
	if (result == 0)
		return;
	if (fault->class != FAULT_INPUT)
		machine->hard = *fault;
	moon_fail_fault(L, fault);
}

static int
table_get(lua_State *L)
{
	const struct row_port *port = port_now(L, false);
	struct cell *key = moon_key_read(L, 2, table_number(L));
	struct fault fault;
	struct row row;
	bool found = false;
	check_port(L, port->get(port->self, port_table(L, port), key, &moon_machine_of(L)->arena, &row, &found, &fault),
		   &fault);
	if (found)
		moon_row_push(L, table_number(L), &row);
	else
		lua_pushnil(L);
	return 1;
}

static int
table_put(lua_State *L)
{
	const struct row_port *port = port_now(L, true);
	const struct row row = { moon_row_read(L, 2, table_number(L), true) };
	struct fault fault;
	check_port(L, port->put(port->self, port_table(L, port), &row, &fault), &fault);
	return 0;
}

static int
table_insert(lua_State *L)
{
	const struct row_port *port = port_now(L, true);
	const struct row row = { moon_row_read(L, 2, table_number(L), true) };
	struct fault fault;
	check_port(L, port->insert(port->self, port_table(L, port), &row, &fault), &fault);
	return 0;
}

/* The key's columns cannot be among what changes. */
static struct row
changes_argument(lua_State *L)
{
	const struct table *table = &moon_machine_of(L)->program->door.tables[table_number(L)];
	const struct row row = { moon_row_read(L, 3, table_number(L), false) };
	for (uint16_t i = 0; i < table->key.count; i++)
		if (row.cells[table->key.columns[i]].kind != CELL_UNSET)
			luaL_error(L, "%s.%s is part of the key and cannot change", table->name.data,
				   table->columns[table->key.columns[i]].name.data);
	return row;
}

static int
table_update(lua_State *L)
{
	const struct row_port *port = port_now(L, true);
	struct cell *key = moon_key_read(L, 2, table_number(L));
	const struct row changes = changes_argument(L);
	struct fault fault;
	bool found = false;
	check_port(L, port->update(port->self, port_table(L, port), key, &changes, &found, &fault), &fault);
	lua_pushboolean(L, found);
	return 1;
}

static int
table_add(lua_State *L)
{
	const struct row_port *port = port_now(L, true);
	const struct table *table = &moon_machine_of(L)->program->door.tables[table_number(L)];
	struct cell *key = moon_key_read(L, 2, table_number(L));
	const struct row amounts = changes_argument(L);
	for (uint16_t i = 0; i < table->column_count; i++) {
		enum column_type type = table->columns[i].type;
		if (amounts.cells[i].kind != CELL_UNSET &&
		    (amounts.cells[i].kind == CELL_TEXT || amounts.cells[i].kind == CELL_NULL ||
		     type == COLUMN_BOOLEAN))
			return luaL_error(L, "%s.%s is no number and cannot be added to", table->name.data,
					  table->columns[i].name.data);
	}
	struct fault fault;
	check_port(L, port->add(port->self, port_table(L, port), key, &amounts, &fault), &fault);
	return 0;
}

static int
table_delete(lua_State *L)
{
	const struct row_port *port = port_now(L, true);
	struct cell *key = moon_key_read(L, 2, table_number(L));
	struct fault fault;
	bool found = false;
	check_port(L, port->remove(port->self, port_table(L, port), key, &found, &fault), &fault);
	lua_pushboolean(L, found);
	return 1;
}

/* ---- filters ---- */

static enum filter_op
filter_operator(lua_State *L, int index, const char *column)
{
	static const struct {
		const char *text;
		enum filter_op op;
	} operators[] = { { "=", FILTER_EQ }, { "~=", FILTER_NE }, { "<", FILTER_LT },         { "<=", FILTER_LE },
			  { ">", FILTER_GT }, { ">=", FILTER_GE }, { "prefix", FILTER_PREFIX } };
	const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "?";
	for (size_t i = 0; i < countof(operators); i++)
		if (strcmp(operators[i].text, text) == 0)
			return operators[i].op;
	luaL_error(L, "where %s: unknown operator '%s' (= ~= < <= > >= prefix)", column, text);
	return FILTER_EQ;
}

/* The condition on top: a value, or { operator, value }. */
static void
read_filter(lua_State *L, uint16_t number, uint16_t column, struct filter *filter)
{
	const struct table *table = &moon_machine_of(L)->program->door.tables[number];
	const char *name = table->columns[column].name.data;
	*filter = (struct filter){ .column = column, .op = FILTER_EQ };
	if (table->columns[column].type == COLUMN_JSON)
		luaL_error(L, "where %s: json columns cannot be compared", name);
	int value = lua_gettop(L);
	if (lua_type(L, value) == LUA_TTABLE && !json_is_null(L, value)) {
		lua_rawgeti(L, value, 1);
		filter->op = filter_operator(L, -1, name);
		lua_rawgeti(L, value, 2);
		value = lua_gettop(L);
		if (lua_rawlen(L, value - 2) > 2 || lua_isnil(L, value))
			luaL_error(L, "where %s: a condition is { operator, value }", name);
	}
	if (json_is_null(L, value)) {
		if (filter->op != FILTER_EQ && filter->op != FILTER_NE)
			luaL_error(L, "where %s: null can only be compared by = and ~=", name);
		filter->op = filter->op == FILTER_EQ ? FILTER_IS_NULL : FILTER_NOT_NULL;
		return;
	}
	if (filter->op == FILTER_PREFIX && table->columns[column].type != COLUMN_TEXT)
		luaL_error(L, "where %s: prefix is for text columns", name);
	if (table->columns[column].type == COLUMN_TEXT && lua_type(L, value) == LUA_TSTRING) {
		filter->value.kind = CELL_TEXT; /* of any length: it need not fit to be compared */
		filter->value.text.data = lua_tolstring(L, value, &filter->value.text.size);
		return;
	}
	moon_cell_read(L, value, number, column, &filter->value);
}

/* The conditions in the table at `index`, in column order. */
static struct filter *
read_filters(lua_State *L, int index, uint16_t number, size_t *count)
{
	struct moon_machine *machine = moon_machine_of(L);
	const struct table *table = &machine->program->door.tables[number];
	index = lua_absindex(L, index);
	luaL_checktype(L, index, LUA_TTABLE);
	struct filter *filters = moon_alloc(L, &machine->arena, table->column_count, sizeof *filters);
	size_t given = 0;
	lua_pushnil(L);
	for (; lua_next(L, index); lua_pop(L, 1))
		given++;
	*count = 0;
	for (uint16_t i = 0; i < table->column_count; i++) {
		int top = lua_gettop(L);
		lua_pushlstring(L, table->columns[i].name.data, table->columns[i].name.size);
		if (lua_rawget(L, index) != LUA_TNIL)
			read_filter(L, number, i, &filters[(*count)++]);
		lua_settop(L, top);
	}
	if (*count == given)
		return filters;
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		bool known = false;
		for (uint16_t i = 0; i < table->column_count && lua_type(L, -1) == LUA_TSTRING; i++)
			known |= strcmp(lua_tostring(L, -1), table->columns[i].name.data) == 0;
		if (!known)
			luaL_error(L, "where: %s has no column '%s'", table->name.data,
				   lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "[number]");
	}
	return filters;
}

static void
read_order(lua_State *L, uint16_t number, struct order *order)
{
	const struct table *table = &moon_machine_of(L)->program->door.tables[number];
	struct slice name;
	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "order: a list of column names, \"-Name\" for descending");
	name.data = lua_tolstring(L, -1, &name.size);
	order->descending = name.size > 0 && name.data[0] == '-';
	if (order->descending)
		name = slice_from(name.data + 1, name.size - 1);
	for (order->column = 0; order->column < table->column_count; order->column++)
		if (slice_equal(table->columns[order->column].name, name))
			return;
	luaL_error(L, "order: %s has no column '%s'", table->name.data, name.data);
}

/* The order on top: one name or a list. */
static void
read_orders(lua_State *L, uint16_t number, struct row_query *query)
{
	lua_Integer count = lua_type(L, -1) == LUA_TTABLE ? (lua_Integer)lua_rawlen(L, -1) : 1;
	if (count > 16)
		luaL_error(L, "order: more than 16 columns");
	struct order *orders = moon_alloc(L, &moon_machine_of(L)->arena, (size_t)count, sizeof *orders);
	if (lua_type(L, -1) != LUA_TTABLE)
		read_order(L, number, &orders[0]);
	for (lua_Integer i = 1; lua_type(L, -1) == LUA_TTABLE && i <= count; i++) {
		lua_rawgeti(L, -1, i);
		read_order(L, number, &orders[i - 1]);
		lua_pop(L, 1);
	}
	query->orders = orders;
	query->order_count = (size_t)count;
}

static uint32_t
bounded(lua_State *L, const char *name, lua_Integer least, lua_Integer most)
{
	int exact = 0;
	lua_Integer number = lua_tointegerx(L, -1, &exact);
	if (!exact || number < least || number > most)
		luaL_error(L, "%s: a whole number from %I to %I is wanted", name, (LUAI_UACINT)least,
			   (LUAI_UACINT)most);
	return (uint32_t)number;
}

/* { where, order, limit, offset } at index 2, or nothing. */
static struct row_query
query_argument(lua_State *L)
{
	struct row_query query = { .limit = 100 };
	uint16_t number = table_number(L);
	if (lua_isnoneornil(L, 2))
		return query;
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_pushnil(L);
	while (lua_next(L, 2)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[number]";
		if (strcmp(key, "where") == 0)
			query.filters = read_filters(L, -1, number, &query.filter_count);
		else if (strcmp(key, "order") == 0)
			read_orders(L, number, &query);
		else if (strcmp(key, "limit") == 0)
			query.limit = bounded(L, "limit", 1, ROW_LIMIT_MAX);
		else if (strcmp(key, "offset") == 0)
			query.offset = bounded(L, "offset", 0, INT32_MAX);
		else
			luaL_error(L, "find has no option '%s' (where, order, limit, offset)", key);
		lua_pop(L, 1);
	}
	return query;
}

static int
table_find(lua_State *L)
{
	const struct row_port *port = port_now(L, false);
	struct row_query query = query_argument(L);
	struct row *rows = NULL;
	size_t count = 0;
	struct fault fault;
	query.table = port_table(L, port);
	check_port(L, port->find(port->self, &query, &moon_machine_of(L)->arena, &rows, &count, &fault), &fault);
	json_new_array(L, (int)count);
	for (size_t i = 0; i < count; i++) {
		moon_row_push(L, table_number(L), &rows[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int
table_count(lua_State *L)
{
	const struct row_port *port = port_now(L, false);
	struct row_query query = query_argument(L);
	uint64_t count = 0;
	struct fault fault;
	query.table = port_table(L, port);
	check_port(L, port->count(port->self, &query, &count, &fault), &fault);
	lua_pushinteger(L, (lua_Integer)count);
	return 1;
}

static int
table_delete_where(lua_State *L)
{
	const struct row_port *port = port_now(L, true);
	size_t count;
	const struct filter *filters = read_filters(L, 2, table_number(L), &count);
	uint64_t removed = 0;
	struct fault fault;
	check_port(L, port->remove_where(port->self, port_table(L, port), filters, count, &removed, &fault), &fault);
	lua_pushinteger(L, (lua_Integer)removed);
	return 1;
}

/* ---- objects ---- */

static int
no_table(lua_State *L)
{
	return luaL_error(L, "view has no table '%s'", lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?");
}

static int
no_method(lua_State *L)
{
	return luaL_error(L, "a view's table has no method '%s'",
			  lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?");
}

static int
no_change(lua_State *L)
{
	return luaL_error(L, "a view's tables change only by their methods");
}

/* Replaces the table on top by a read-only object whose unknown fields raise by `missing`. */
static void
seal(lua_State *L, lua_CFunction missing)
{
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, missing);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_newtable(L);
	lua_createtable(L, 0, 3);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, no_change);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_remove(L, -2);
}

static void
push_table(lua_State *L, uint16_t number)
{
	static const luaL_Reg methods[] = {
		{ "get", table_get },
		{ "put", table_put },
		{ "insert", table_insert },
		{ "update", table_update },
		{ "add", table_add },
		{ "delete", table_delete },
		{ "find", table_find },
		{ "count", table_count },
		{ "delete_where", table_delete_where },
		{ NULL, NULL },
	};
	luaL_newlibtable(L, methods);
	lua_pushinteger(L, number);
	luaL_setfuncs(L, methods, 1);
	seal(L, no_method);
}

static int
make_view(lua_State *L, const struct moon_program *program, const uint16_t *numbers, size_t count)
{
	lua_createtable(L, 0, (int)count);
	for (size_t i = 0; i < count; i++) {
		uint16_t number = numbers != NULL ? numbers[i] : (uint16_t)i;
		push_table(L, number);
		lua_setfield(L, -2, program->door.tables[number].name.data);
	}
	seal(L, no_table);
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

void
moon_views_open(lua_State *L, struct moon_machine *machine)
{
	const struct moon_program *program = machine->program;
	luaL_checkstack(L, 12, NULL);
	for (size_t i = 0; i < program->door.projection_count; i++) {
		const struct script_projection *projection = &program->door.projections[i];
		machine->views[i] = make_view(L, program, projection->tables, projection->table_count);
	}
	machine->views[program->door.projection_count] = make_view(L, program, NULL, program->door.table_count);
}
