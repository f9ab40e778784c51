/* SPDX-License-Identifier: MIT */
/*
 * `core` for specs of read models: events go through the domain's projections into rows that whoever runs the specs
 * provides, then all rows, or a query's answer, come back.
 */
#include <lauxlib.h>

#include "script/lua/kit_core.h"

static void
push_cell(lua_State *L, const struct column *column, const struct cell *cell)
{
	struct fault fault;
	if (cell->kind == CELL_INTEGER && column->type == COLUMN_BOOLEAN)
		lua_pushboolean(L, cell->integer != 0);
	else if (cell->kind == CELL_INTEGER && column->type == COLUMN_REAL)
		lua_pushnumber(L, (lua_Number)cell->integer);
	else if (cell->kind == CELL_INTEGER)
		lua_pushinteger(L, cell->integer);
	else if (cell->kind == CELL_REAL)
		lua_pushnumber(L, cell->real);
	else if (cell->kind != CELL_TEXT ||
		 (column->type == COLUMN_JSON && json_read(L, cell->text, NULL, &fault) != 0))
		lua_pushnil(L);
	else if (column->type != COLUMN_JSON)
		lua_pushlstring(L, cell->text.data != NULL ? cell->text.data : "", cell->text.size);
}

/* All rows of a table as a list of tables. */
static int
push_rows(lua_State *L, const struct kit_rows *rows, const struct table *table, uint16_t number, struct fault *fault)
{
	struct row_query query = { .table = number, .limit = ROW_LIMIT_MAX };
	struct row *found;
	size_t count;
	lua_Integer total = 0;
	lua_newtable(L);
	do {
		if (rows->port->find(rows->port->self, &query, &kit_of(L)->arena, &found, &count, fault) != 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			lua_createtable(L, 0, table->column_count);
			for (uint16_t c = 0; c < table->column_count; c++) {
				push_cell(L, &table->columns[c], &found[i].cells[c]);
				lua_setfield(L, -2, table->columns[c].name.data);
			}
			lua_rawseti(L, -2, ++total);
		}
		query.offset += ROW_LIMIT_MAX;
	} while (count == ROW_LIMIT_MAX);
	return 0;
}

/* What is given to projections. */
struct given {
	struct kit_past past;
	const struct react_message *messages;
	size_t message_count;
};

static struct given
read_given(lua_State *L, const struct kit_domain *domain)
{
	struct given given = { .past = kit_read_past(L, domain) };
	given.messages = kit_read_messages(L, &given.message_count);
	return given;
}

static int
project_all(const struct kit_domain *domain, int only, const struct kit_rows *rows, const struct given *given,
	    struct fault *fault)
{
	for (size_t i = 0; i < domain->program->projection_count; i++) {
		size_t done = 0;
		bool fed = domain->program->projections[i].topic_count > 0;
		if (only >= 0 && i != (size_t)only)
			continue;
		if ((fed ? script_project_messages(domain->machine, (uint16_t)i, rows->port, given->messages,
						   given->message_count, &done, fault)
			 : script_project(domain->machine, (uint16_t)i, rows->port, given->past.entries,
					  given->past.count, &done, fault)) != 0)
			return fault_prefix(fault, "%s %zu", fed ? "message" : "event", done + 1);
	}
	return 0;
}

/* { key = { "Id" }, all = { Id = true, Title = true } } */
static void
push_columns(lua_State *L, const struct table *table)
{
	lua_newtable(L);
	lua_newtable(L);
	for (size_t i = 0; i < table->key.count; i++) {
		struct slice name = table->columns[table->key.columns[i]].name;
		lua_pushlstring(L, name.data, name.size);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "key");
	lua_newtable(L);
	for (size_t i = 0; i < table->column_count; i++) {
		lua_pushlstring(L, table->columns[i].name.data, table->columns[i].name.size);
		lua_pushboolean(L, true);
		lua_rawset(L, -3);
	}
	lua_setfield(L, -2, "all");
}

int
kit_project(lua_State *L)
{
	struct kit *kit = kit_of(L);
	struct fault fault;
	struct kit_rows rows;
	luaL_checktype(L, 1, LUA_TTABLE);
	arena_clear(&kit->arena);
	const struct kit_domain *domain = kit_domain_named(L, kit_field_text(L, 1, "domain"));
	const struct script_program *program = domain->program;
	int projection = script_find_projection(program, kit_field_text(L, 1, "projection"));
	if (projection < 0)
		return luaL_error(L, "no such projection");
	const struct given given = read_given(L, domain);
	if (kit->options->rows_open(kit->options->self, program->tables, program->table_count, &rows, &fault) != 0)
		return luaL_error(L, "%s", fault.text);
	int result = project_all(domain, projection, &rows, &given, &fault);
	lua_newtable(L);
	kit_set_text(L, "kind", SLICE("accepted"));
	lua_newtable(L);
	for (size_t i = 0; result == 0 && i < program->projections[projection].table_count; i++) {
		uint16_t number = program->projections[projection].tables[i];
		result = push_rows(L, &rows, &program->tables[number], number, &fault);
		lua_setfield(L, -2, program->tables[number].name.data);
	}
	lua_setfield(L, -2, "tables");
	lua_newtable(L);
	for (size_t i = 0; i < program->projections[projection].table_count; i++) {
		const struct table *table = &program->tables[program->projections[projection].tables[i]];
		push_columns(L, table);
		lua_setfield(L, -2, table->name.data);
	}
	lua_setfield(L, -2, "columns");
	kit->options->rows_close(kit->options->self, &rows);
	return result == 0 ? 1 : kit_give_fault(L, &fault);
}

/* ---- queries ---- */

static struct script_param *
read_params(lua_State *L, size_t *count)
{
	lua_getfield(L, 1, "params");
	*count = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
	struct script_param *params = arena_zero(&kit_of(L)->arena, *count + 1, sizeof *params);
	for (size_t i = 0; params != NULL && i < *count; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		params[i] = (struct script_param){ kit_field_text(L, lua_gettop(L), "name"),
						   kit_field_text(L, lua_gettop(L), "value") };
		lua_pop(L, 1);
	}
	return params;
}

int
kit_query(lua_State *L)
{
	struct kit *kit = kit_of(L);
	struct fault fault;
	struct kit_rows rows;
	struct buf out;
	luaL_checktype(L, 1, LUA_TTABLE);
	arena_clear(&kit->arena);
	const struct kit_domain *domain = kit_domain_named(L, kit_field_text(L, 1, "domain"));
	const struct script_program *program = domain->program;
	struct query_request request = { .context = { .now_us = kit_read_time(L, 1), .seed = { 1, 2 } } };
	int query = script_find_query(program, kit_field_text(L, 1, "query"));
	if (query < 0)
		return luaL_error(L, "no such query");
	const struct given given = read_given(L, domain);
	request.query = (uint16_t)query;
	request.params = read_params(L, &request.param_count);
	if (kit->options->rows_open(kit->options->self, program->tables, program->table_count, &rows, &fault) != 0)
		return luaL_error(L, "%s", fault.text);
	buf_init(&out, (size_t)64 << 20);
	request.rows = rows.port;
	int result = project_all(domain, -1, &rows, &given, &fault);
	if (result == 0)
		result = script_query(domain->machine, &request, &out, &fault);
	struct slice reply = arena_copy(&kit->arena, buf_slice(&out));
	buf_fini(&out);
	kit->options->rows_close(kit->options->self, &rows);
	if (result != 0)
		return kit_give_fault(L, &fault);
	lua_newtable(L);
	kit_set_text(L, "kind", SLICE("accepted"));
	kit_set_text(L, "reply", reply);
	return 1;
}
