/* SPDX-License-Identifier: MIT */
/* Checks of settings, queries and routes. Routes come last: what they name must exist by then. */
#include <lauxlib.h>
#include <stdio.h>

#include "base/suggest.h"
#include "script/lua/inspect.h"

#define QUERIES_MAX     1000
#define ROUTES_MAX      2000
#define ROUTE_SLOTS_MAX 8 /* parameters in one path */

/* ---- settings ---- */

void
inspect_settings(struct inspection *in)
{
	lua_State *L = in->L;
	struct moon_program *program = in->program;
	struct moon_machine *machine = in->machine;
	struct fault fault;
	if (inspect_push(in, "settings", LUA_TTABLE) == LUA_TTABLE) {
		if (program->door.settings.size > 0)
			inspect_fail_as(in, "duplicate", "settings", "a second file gives settings");
		buf_clear(&machine->scratch);
		if (json_write(L, -1, &machine->scratch, NULL, &fault) != 0)
			inspect_fail(in, "settings", "settings: %s", fault.text);
		program->door.settings = inspect_keep(in, buf_slice(&machine->scratch));
		if (program->door.settings.data[0] != '{')
			inspect_fail(in, "settings", "settings have names, not numbers");
		program->currency = inspect_text(in, "currency");
		if (program->currency.size != 0 && program->currency.size != 3)
			inspect_fail(in, "currency", "settings.currency is a code of three letters");
	}
	lua_pop(L, 1);
	struct slice title = inspect_text(in, "title"), description = inspect_text(in, "description");
	if (title.size > 0)
		program->title = title;
	if (description.size > 0)
		program->description = description;
}

/* ---- queries ---- */

static void
inspect_query(struct inspection *in, void *self)
{
	struct slice name = *(struct slice *)self;
	static const char *const fields[] = { "params", "returns", "run", "summary", NULL };
	struct script_query *door = &in->queries[in->query_count];
	struct moon_query *rule = &in->query_rules[in->query_count];
	if (!inspect_name_ok(name, STREAM_WORD_MAX))
		inspect_fail(in, name.data, "'%s' cannot be a query: letters, digits and _, a letter first", name.data);
	for (size_t i = 0; i < in->query_count; i++)
		if (slice_equal(in->queries[i].name, name))
			inspect_fail_as(in, "duplicate", name.data, "query '%s' is declared twice in the domain",
					name.data);
	door->name = name;
	if (lua_type(in->L, -1) != LUA_TTABLE)
		inspect_fail(in, NULL, "is a %s, not a table", luaL_typename(in->L, -1));
	inspect_fields(in, fields);
	door->summary = inspect_text(in, "summary");
	rule->params = inspect_fields_schema(in, "params");
	rule->returns = inspect_any_schema(in, "returns");
	rule->run = inspect_handler(in, "run", true);
}

void
inspect_queries(struct inspection *in)
{
	lua_State *L = in->L;
	if (inspect_push(in, "queries", LUA_TTABLE) == LUA_TTABLE) {
		size_t count;
		inspect_enter(in, SLICE("queries"));
		struct slice *names = inspect_keys(in, &count);
		for (size_t i = 0; i < count; i++) {
			lua_getfield(L, -1, names[i].data);
			inspect_enter(in, names[i]);
			inspect_try(in, inspect_query, &names[i]);
			in->query_count++;
			inspect_leave(in);
			lua_pop(L, 1);
		}
		inspect_leave(in);
	}
	lua_pop(L, 1);
}

/* ---- routes ---- */

static struct slice
list_text(struct inspection *in, int index)
{
	struct slice text = SLICE_NONE;
	if (lua_rawgeti(in->L, -1, index) == LUA_TSTRING) {
		text.data = lua_tolstring(in->L, -1, &text.size);
		text = inspect_keep(in, text);
	}
	lua_pop(in->L, 1);
	return text;
}

static bool
segment_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL);
}

/* One segment: literal characters, or {name} alone. *param is the name, or empty. */
static void
inspect_segment(struct inspection *in, struct slice path, struct slice segment, struct slice *param)
{
	*param = SLICE_NONE;
	if (segment.size > 0 && segment.data[0] == '{') {
		struct slice name = slice_from(segment.data + 1, segment.size - 1);
		if (name.size > 0 && name.data[name.size - 1] == '}')
			name.size--;
		else
			name = SLICE_NONE;
		if (!inspect_name_ok(name, STREAM_WORD_MAX))
			inspect_fail(in, path.data, "path \"%s\": a parameter is a whole segment {name}", path.data);
		*param = name;
		return;
	}
	if (segment.size == 0)
		inspect_fail(in, path.data, "path \"%s\": an empty segment", path.data);
	for (size_t i = 0; i < segment.size; i++) {
		unsigned char byte = (unsigned char)segment.data[i];
		if (byte >= 0x20 && byte < 0x7f && !segment_byte(segment.data[i]))
			inspect_fail(in, path.data, "path \"%s\": the character '%c' is not allowed", path.data, byte);
		if (!segment_byte(segment.data[i]))
			inspect_fail(in, path.data, "path \"%s\": the byte 0x%02x is not allowed", path.data, byte);
	}
}

/* Checks the path's grammar; gives its parameters. */
static size_t
inspect_path(struct inspection *in, struct slice path, struct slice params[ROUTE_SLOTS_MAX])
{
	size_t count = 0;
	if (path.size == 0 || path.data[0] != '/')
		inspect_fail(in, path.data, "a route is { \"METHOD\", \"/path\", ... }");
	struct slice rest = slice_from(path.data + 1, path.size - 1);
	while (rest.size > 0) {
		const char *slash = memchr(rest.data, '/', rest.size);
		size_t size = slash != NULL ? (size_t)(slash - rest.data) : rest.size;
		struct slice param;
		inspect_segment(in, path, slice_from(rest.data, size), &param);
		if (param.size > 0 && count == ROUTE_SLOTS_MAX)
			inspect_fail(in, path.data, "path \"%s\": more than %d parameters", path.data, ROUTE_SLOTS_MAX);
		for (size_t i = 0; i < count && param.size > 0; i++)
			if (slice_equal(params[i], param))
				inspect_fail(in, path.data, "path \"%s\": '{%.*s}' is there twice", path.data,
					     SLICE_ARG(param));
		if (param.size > 0)
			params[count++] = inspect_keep(in, param);
		rest = slash != NULL ? slice_from(slash + 1, rest.size - size - 1) : SLICE_NONE;
		if (slash != NULL && rest.size == 0)
			inspect_fail(in, path.data, "path \"%s\" ends in a slash", path.data);
	}
	return count;
}

/* Two paths meet when each segment is the same text or a parameter in both places. */
static bool
same_path(struct slice a, struct slice b)
{
	size_t i = 0, j = 0;
	while (i < a.size && j < b.size) {
		if (a.data[i] == '{' && b.data[j] == '{') {
			while (i < a.size && a.data[i] != '/')
				i++;
			while (j < b.size && b.data[j] != '/')
				j++;
			continue;
		}
		if (a.data[i++] != b.data[j++])
			return false;
	}
	return i == a.size && j == b.size;
}

static uint16_t
route_aggregate(struct inspection *in, const char *field, struct slice name)
{
	for (size_t i = 0; i < in->aggregate_count; i++)
		if (slice_equal(in->aggregates[i].name, name))
			return (uint16_t)i;
	struct suggest suggest;
	char hint[160];
	suggest_start(&suggest, name);
	for (size_t i = 0; i < in->aggregate_count; i++)
		suggest_try(&suggest, in->aggregates[i].name.data);
	inspect_absent(in, "no_such_aggregate", field, "%s: the domain has no aggregate '%.*s'%s", field,
		       SLICE_ARG(name), suggest_text(&suggest, hint, sizeof hint));
}

static void
target_command(struct inspection *in, struct script_route *route, struct slice text)
{
	const char *dot = memchr(text.data, '.', text.size);
	if (dot == NULL)
		inspect_fail(in, text.data, "command is \"aggregate.Command\", not \"%s\"", text.data);
	struct slice command = slice_text(dot + 1);
	route->target = TARGET_COMMAND;
	route->aggregate = route_aggregate(in, "command", slice_from(text.data, (size_t)(dot - text.data)));
	const struct script_aggregate *door = &in->aggregates[route->aggregate];
	int number = script_find_command(door, command);
	struct suggest suggest;
	char hint[160];
	suggest_start(&suggest, command);
	for (size_t i = 0; i < door->command_count && number < 0; i++)
		suggest_try(&suggest, door->commands[i].name.data);
	if (number < 0)
		inspect_absent(in, "no_such_command", text.data, "aggregate '%s' has no command '%s'%s",
			       door->name.data, command.data, suggest_text(&suggest, hint, sizeof hint));
	route->command = (uint16_t)number;
}

static void
target_query(struct inspection *in, struct script_route *route, struct slice text)
{
	route->target = TARGET_QUERY;
	for (size_t i = 0; i < in->query_count; i++) {
		if (slice_equal(in->queries[i].name, text)) {
			route->query = (uint16_t)i;
			return;
		}
	}
	struct suggest suggest;
	char hint[160];
	suggest_start(&suggest, text);
	for (size_t i = 0; i < in->query_count; i++)
		suggest_try(&suggest, in->queries[i].name.data);
	inspect_absent(in, "no_such_query", text.data, "the domain has no query '%s'%s", text.data,
		       suggest_text(&suggest, hint, sizeof hint));
}

static void
inspect_target(struct inspection *in, struct script_route *route)
{
	static const char *const names[] = { "command", "query", "state", "history", "text" };
	struct slice found = SLICE_NONE;
	int kind = -1;
	for (int i = 0; i < (int)countof(names); i++) {
		struct slice text = inspect_text(in, names[i]);
		if (text.data == NULL)
			continue;
		if (kind >= 0)
			inspect_fail(in, names[i], "a route has one target: '%s' or '%s'", names[kind], names[i]);
		kind = i;
		found = text;
	}
	bool health = inspect_flag(in, "health");
	if (health == (kind >= 0))
		inspect_fail(in, NULL, "a route has one target: command, query, state, history, health or text");
	if (health)
		route->target = TARGET_HEALTH;
	else if (kind == 0)
		target_command(in, route, found);
	else if (kind == 1)
		target_query(in, route, found);
	else if (kind == 4)
		route->target = TARGET_TEXT, route->text = found;
	else {
		route->target = kind == 2 ? TARGET_STATE : TARGET_HISTORY;
		route->aggregate = route_aggregate(in, names[kind], found);
	}
}

static void
inspect_id(struct inspection *in, struct script_route *route, const struct slice *params, size_t count)
{
	bool of_stream =
		route->target == TARGET_COMMAND || route->target == TARGET_STATE || route->target == TARGET_HISTORY;
	for (size_t i = 0; i < count && of_stream; i++)
		if (slice_equal(params[i], SLICE("id")))
			route->id_param = params[i];
	if ((route->target == TARGET_STATE || route->target == TARGET_HISTORY) && route->id_param.size == 0)
		inspect_fail(in, route->path.data, "path \"%s\" lacks {id}: which stream is it?", route->path.data);
	const struct schema *known = NULL;
	if (route->target == TARGET_COMMAND)
		known = in->aggregate_rules[route->aggregate].commands[route->command].data;
	else if (route->target == TARGET_QUERY)
		known = in->query_rules[route->query].params;
	if (known == NULL && inspect_gathers(in) && route->target <= TARGET_QUERY)
		return; /* the schema itself is broken */
	if (route->id_field.size != 0 && (route->target != TARGET_COMMAND || route->id_param.size != 0))
		inspect_fail(in, "id",
			     "'id' names the field of a command's body that is the stream's id, where the path "
			     "has no {id}");
	if (route->id_field.size != 0 && (known == NULL || schema_member(known, route->id_field) == NULL))
		inspect_fail(in, "id", "the command's data has no field '%s'", route->id_field.data);
	for (size_t i = 0; i < count; i++)
		if ((route->target == TARGET_QUERY || !slice_equal(params[i], route->id_param)) &&
		    (known == NULL || schema_member(known, params[i]) == NULL))
			inspect_fail_as(in, "unknown_parameter", route->path.data,
					"path \"%s\": nothing takes the parameter '{%s}'", route->path.data,
					params[i].data);
}

static void
inspect_method(struct inspection *in, struct script_route *route)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "DELETE", "PATCH" };
	bool known = false;
	for (size_t i = 0; i < countof(methods); i++)
		known |= slice_equal(route->method, slice_text(methods[i]));
	if (!known)
		inspect_fail(in, route->method.data,
			     "a route is { \"METHOD\", \"/path\", ... }: GET POST PUT DELETE PATCH");
	if ((route->target == TARGET_COMMAND) == slice_equal(route->method, SLICE("GET")) &&
	    route->target != TARGET_QUERY)
		inspect_fail(in, route->method.data,
			     route->target == TARGET_COMMAND ? "a command changes things: its method cannot be GET"
							     : "what only reads has the method GET");
}

/* Does the schema hold money or times anywhere? They differ on the wire. */
static bool
has_wire_forms(const struct schema *schema)
{
	if (schema == NULL)
		return false;
	bool found = schema->type == SCHEMA_MONEY || schema->type == SCHEMA_TIME || has_wire_forms(schema->element);
	for (size_t i = 0; i < schema->field_count && !found; i++)
		found = has_wire_forms(&schema->fields[i].schema);
	return found;
}

/* A reshaped reply without a schema would leave money in minor units. */
static void
inspect_shape(struct inspection *in, const struct script_route *route, const struct moon_route *rule)
{
	bool shaped = route->target == TARGET_COMMAND || route->target == TARGET_STATE;
	if (rule->reply != 0 && !shaped)
		inspect_fail(in, "reply", "'reply' shapes commands and states; a query shapes its own answer");
	if (rule->reply == 0 || rule->returns != NULL || route->target != TARGET_COMMAND)
		return;
	const struct script_aggregate *door = &in->aggregates[route->aggregate];
	if (has_wire_forms(in->aggregate_rules[route->aggregate].commands[route->command].reply))
		inspect_fail(in, "reply",
			     "'reply' reshapes the money or times of %s.%s: say by 'returns' which fields they are",
			     door->name.data, door->commands[route->command].name.data);
}

static void
inspect_route(struct inspection *in, void *self)
{
	static const char *const fields[] = { "command",  "query",   "state", "history", "health",
					      "text",     "status",  "reply", "returns", "content_type",
					      "location", "summary", "id",    NULL };
	struct script_route *route = &in->routes[in->route_count];
	struct moon_route *rule = &in->route_rules[in->route_count];
	struct slice params[ROUTE_SLOTS_MAX];
	(void)self;
	if (lua_type(in->L, -1) != LUA_TTABLE)
		inspect_fail(in, NULL, "is a %s, not a table", luaL_typename(in->L, -1));
	route->method = list_text(in, 1);
	route->path = list_text(in, 2);
	size_t count = inspect_path(in, route->path, params);
	lua_State *L = in->L;
	lua_createtable(L, 0, 13); /* the named fields alone, for the check of their names */
	lua_pushnil(L);
	while (lua_next(L, -3)) {
		if (lua_isinteger(L, -2) && (lua_tointeger(L, -2) == 1 || lua_tointeger(L, -2) == 2)) {
			lua_pop(L, 1);
			continue;
		}
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -4);
	}
	inspect_fields(in, fields);
	lua_pop(L, 1);
	inspect_target(in, route);
	inspect_method(in, route);
	route->id_field = inspect_text(in, "id");
	inspect_id(in, route, params, count);
	route->status = (uint16_t)inspect_integer(in, "status", 200, 299, 200);
	route->content_type = inspect_text(in, "content_type");
	if (route->target == TARGET_TEXT && route->content_type.size == 0)
		route->content_type = SLICE("text/plain; charset=utf-8");
	route->location = inspect_text(in, "location");
	route->summary = inspect_text(in, "summary");
	rule->returns = inspect_any_schema(in, "returns");
	rule->reply = inspect_handler(in, "reply", false);
	inspect_shape(in, route, rule);
	for (size_t i = 0; i < in->route_count; i++)
		if (slice_equal(in->routes[i].method, route->method) && same_path(in->routes[i].path, route->path))
			inspect_fail_as(in, "duplicate", route->path.data, "%s \"%s\" is there twice",
					route->method.data, route->path.data);
}

void
inspect_routes(struct inspection *in)
{
	lua_State *L = in->L;
	if (inspect_push(in, "routes", LUA_TTABLE) == LUA_TTABLE) {
		lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
		inspect_enter(in, SLICE("routes"));
		for (lua_Integer i = 1; i <= count; i++) {
			lua_rawgeti(L, -1, i);
			inspect_enter_index(in, i);
			inspect_try(in, inspect_route, NULL);
			in->route_count++;
			inspect_leave(in);
			lua_pop(L, 1);
		}
		inspect_leave(in);
	}
	lua_pop(L, 1);
}
