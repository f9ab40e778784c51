/* SPDX-License-Identifier: MIT */
/*
 * The program's part of the OpenAPI 3.1 document: { "paths": ..., "schemas": ... }, made of routes and schemas alone
 * (JSON Schema 2020-12). Money is a number on the wire whose decimals depend on its currency, so its bounds, kept in
 * minor units, are not told. Events are told as they are recorded and sent: money in minor units, times in
 * microseconds.
 */
#include <ctype.h>
#include <stdio.h>

#include "base/json.h"
#include "script/lua/machine.h"

enum form { FORM_WIRE, FORM_STORED };

static void write_schema(struct buf *out, const struct schema *schema, enum form form);

static void
write_bounds(struct buf *out, const struct schema *schema, enum form form)
{
	if (schema->type == SCHEMA_INTEGER || (schema->type == SCHEMA_MONEY && form == FORM_STORED)) {
		if (schema->has_minimum) {
			json_key(out, "minimum");
			buf_i64(out, schema->minimum.integer);
		}
		if (schema->has_maximum) {
			json_key(out, "maximum");
			buf_i64(out, schema->maximum.integer);
		}
	} else if (schema->type == SCHEMA_NUMBER) {
		if (schema->has_minimum) {
			json_key(out, "minimum");
			json_real(out, schema->minimum.number);
		}
		if (schema->has_maximum) {
			json_key(out, "maximum");
			json_real(out, schema->maximum.number);
		}
	}
}

static void
write_lengths(struct buf *out, const struct schema *schema, const char *least, const char *most)
{
	if (schema->length_min > 0) {
		json_key(out, least);
		buf_u64(out, schema->length_min);
	}
	if (schema->length_max != UINT64_MAX && schema->length_max != 0) {
		json_key(out, most);
		buf_u64(out, schema->length_max);
	}
}

static void
write_text(struct buf *out, const char *key, struct slice text)
{
	json_key(out, key);
	json_quote(out, text);
}

static void
write_string(struct buf *out, const struct schema *schema)
{
	write_text(out, "type", SLICE("string"));
	write_lengths(out, schema, "minLength", "maxLength");
	if (schema->pattern.size > 0)
		write_text(out, "x-lua-pattern", schema->pattern);
	if (schema->format == SCHEMA_FORMAT_EMAIL)
		write_text(out, "format", SLICE("email"));
	if (schema->format == SCHEMA_FORMAT_DATE)
		write_text(out, "format", SLICE("date"));
}

static void
write_object(struct buf *out, const struct schema *schema, enum form form)
{
	write_text(out, "type", SLICE("object"));
	if (schema->open)
		return;
	json_key(out, "properties");
	buf_byte(out, '{');
	for (size_t i = 0; i < schema->field_count; i++) {
		json_key(out, schema->fields[i].name.data);
		write_schema(out, &schema->fields[i].schema, form);
	}
	buf_byte(out, '}');
	json_key(out, "required");
	buf_byte(out, '[');
	for (size_t i = 0; i < schema->field_count; i++) {
		if (schema->fields[i].schema.optional || schema->fields[i].schema.preset.size > 0)
			continue;
		json_comma(out);
		json_quote(out, schema->fields[i].name);
	}
	buf_byte(out, ']');
	json_key(out, "additionalProperties");
	buf_text(out, "false");
}

static void
write_money(struct buf *out, enum form form)
{
	write_text(out, "type", form == FORM_WIRE ? SLICE("number") : SLICE("integer"));
	write_text(out, "format", SLICE("money"));
	write_text(out, "description",
		   form == FORM_WIRE ? SLICE("exact decimal amount in its currency")
				     : SLICE("amount in minor units of its currency"));
}

static void
write_time(struct buf *out, enum form form)
{
	write_text(out, "type", form == FORM_WIRE ? SLICE("string") : SLICE("integer"));
	if (form == FORM_WIRE)
		write_text(out, "format", SLICE("date-time"));
	else
		write_text(out, "description", SLICE("microseconds since 1970-01-01T00:00:00Z"));
}

static void
write_type(struct buf *out, const struct schema *schema, enum form form)
{
	switch (schema->type) {
	case SCHEMA_ANY:
		break;
	case SCHEMA_STRING:
		write_string(out, schema);
		break;
	case SCHEMA_INTEGER:
		write_text(out, "type", SLICE("integer"));
		break;
	case SCHEMA_NUMBER:
		write_text(out, "type", SLICE("number"));
		break;
	case SCHEMA_BOOLEAN:
		write_text(out, "type", SLICE("boolean"));
		break;
	case SCHEMA_MONEY:
		write_money(out, form);
		break;
	case SCHEMA_TIME:
		write_time(out, form);
		break;
	case SCHEMA_UUID:
		write_text(out, "type", SLICE("string"));
		write_text(out, "format", SLICE("uuid"));
		break;
	case SCHEMA_OBJECT:
		write_object(out, schema, form);
		break;
	case SCHEMA_ARRAY:
		write_text(out, "type", SLICE("array"));
		write_lengths(out, schema, "minItems", "maxItems");
		json_key(out, "items");
		write_schema(out, schema->element, form);
		break;
	case SCHEMA_MAP:
		write_text(out, "type", SLICE("object"));
		json_key(out, "additionalProperties");
		write_schema(out, schema->element, form);
		break;
	}
}

static void
write_schema(struct buf *out, const struct schema *schema, enum form form)
{
	bool plain = schema->type != SCHEMA_MONEY && schema->type != SCHEMA_TIME;
	buf_byte(out, '{');
	write_type(out, schema, form);
	write_bounds(out, schema, form);
	if (plain && schema->choice_count > 0) {
		json_key(out, "enum");
		buf_byte(out, '[');
		for (size_t i = 0; i < schema->choice_count; i++) {
			json_comma(out);
			if (schema->type == SCHEMA_INTEGER)
				buf_add(out, schema->choices[i]);
			else
				json_quote(out, schema->choices[i]);
		}
		buf_byte(out, ']');
	}
	if (plain && schema->preset.size > 0) {
		json_key(out, "default");
		buf_add(out, schema->preset);
	}
	buf_byte(out, '}');
}

/* ---- paths ---- */

/* Does the path have {name}? */
static bool
in_path(struct slice path, struct slice name)
{
	for (size_t at = 0; at + name.size + 1 < path.size; at++)
		if (path.data[at] == '{' && path.data[at + 1 + name.size] == '}' &&
		    memcmp(path.data + at + 1, name.data, name.size) == 0)
			return true;
	return false;
}

static void
write_parameter(struct buf *out, struct slice name, const char *where, const struct schema *schema)
{
	static const struct schema text = { .type = SCHEMA_STRING, .length_max = UINT64_MAX };
	bool path = strcmp(where, "path") == 0;
	json_comma(out);
	buf_byte(out, '{');
	write_text(out, "name", name);
	write_text(out, "in", slice_text(where));
	json_key(out, "required");
	buf_text(out, path || (schema != NULL && !schema->optional && schema->preset.size == 0) ? "true" : "false");
	json_key(out, "schema");
	write_schema(out, schema != NULL ? schema : &text, FORM_WIRE);
	buf_byte(out, '}');
}

static void
write_parameters(struct buf *out, const struct script_route *route, const struct schema *params)
{
	struct slice rest = route->path;
	json_key(out, "parameters");
	buf_byte(out, '[');
	for (const char *open; rest.size > 0 && (open = memchr(rest.data, '{', rest.size)) != NULL;) {
		const char *close = memchr(open, '}', rest.size - (size_t)(open - rest.data));
		struct slice name = slice_from(open + 1, (size_t)(close - open) - 1);
		write_parameter(out, name, "path", params != NULL ? schema_member(params, name) : NULL);
		rest.size -= (size_t)(close - rest.data);
		rest.data = close;
	}
	for (size_t i = 0; route->target == TARGET_QUERY && i < params->field_count; i++)
		if (!in_path(route->path, params->fields[i].name))
			write_parameter(out, params->fields[i].name, "query", &params->fields[i].schema);
	if (route->target == TARGET_HISTORY) {
		static const struct schema version = { .type = SCHEMA_INTEGER, .optional = true };
		write_parameter(out, SLICE("fromVersion"), "query", &version);
	}
	buf_byte(out, ']');
}

static void
write_body(struct buf *out, const struct script_route *route, const struct schema *data)
{
	json_key(out, "requestBody");
	buf_text(out, "{\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\"");
	json_key(out, "properties");
	buf_byte(out, '{');
	for (size_t i = 0; i < data->field_count; i++) {
		if (in_path(route->path, data->fields[i].name) && !slice_equal(data->fields[i].name, route->id_param))
			continue;
		json_key(out, data->fields[i].name.data);
		write_schema(out, &data->fields[i].schema, FORM_WIRE);
	}
	buf_text(out, "},\"required\":[");
	for (size_t i = 0; i < data->field_count; i++) {
		const struct schema *schema = &data->fields[i].schema;
		if (schema->optional || schema->preset.size > 0 || in_path(route->path, data->fields[i].name))
			continue;
		json_comma(out);
		json_quote(out, data->fields[i].name);
	}
	buf_text(out, "]}}}}");
}

static void
write_route(struct buf *out, const struct moon_program *program, size_t number)
{
	const struct script_route *route = &program->door.routes[number];
	const struct moon_route *rule = &program->routes[number];
	const struct schema *params = NULL, *answer = rule->returns;
	char method[8] = "";
	for (size_t i = 0; i < route->method.size && i + 1 < sizeof method; i++)
		method[i] = (char)tolower((unsigned char)route->method.data[i]);
	if (route->target == TARGET_COMMAND) {
		const struct moon_command *command = &program->aggregates[route->aggregate].commands[route->command];
		params = command->data;
		if (answer == NULL && rule->reply == 0)
			answer = command->reply;
	} else if (route->target == TARGET_QUERY) {
		params = program->queries[route->query].params;
		if (answer == NULL)
			answer = program->queries[route->query].returns;
	}
	json_key(out, method);
	buf_byte(out, '{');
	json_key(out, "tags");
	buf_byte(out, '[');
	json_quote(out, program->door.domain);
	buf_byte(out, ']');
	if (route->summary.size > 0)
		write_text(out, "summary", route->summary);
	write_parameters(out, route, params);
	if (route->target == TARGET_COMMAND)
		write_body(out, route, params);
	buf_format(out, ",\"responses\":{\"%u\":{\"description\":\"success\"", route->status);
	if (route->target == TARGET_TEXT) {
		buf_text(out, ",\"content\":{");
		json_key(out, route->content_type.data);
		buf_text(out, "{}}");
	} else {
		buf_text(out, ",\"content\":{\"application/json\":{\"schema\":");
		if (answer != NULL)
			write_schema(out, answer, FORM_WIRE);
		else
			buf_text(out, "{}");
		buf_text(out, "}}");
	}
	buf_text(out, "},\"4XX\":{\"$ref\":\"#/components/responses/problem\"}}}");
}

static void
write_paths(struct buf *out, const struct moon_program *program)
{
	const struct script_route *routes = program->door.routes;
	json_key(out, "paths");
	buf_byte(out, '{');
	for (size_t i = 0; i < program->door.route_count; i++) {
		bool seen = false;
		for (size_t j = 0; j < i && !seen; j++)
			seen = slice_equal(routes[i].path, routes[j].path);
		if (seen)
			continue;
		json_key(out, routes[i].path.data);
		buf_byte(out, '{');
		for (size_t j = i; j < program->door.route_count; j++)
			if (slice_equal(routes[i].path, routes[j].path))
				write_route(out, program, j);
		buf_byte(out, '}');
	}
	buf_byte(out, '}');
}

static void
write_components(struct buf *out, const struct moon_program *program)
{
	json_key(out, "schemas");
	buf_byte(out, '{');
	for (size_t a = 0; a < program->door.aggregate_count; a++) {
		const struct script_aggregate *door = &program->door.aggregates[a];
		char key[STREAM_NAME_MAX];
		for (size_t i = 0; i < door->command_count; i++) {
			snprintf(key, sizeof key, "%s.%s.%s", program->door.domain.data, door->name.data,
				 door->commands[i].name.data);
			json_key(out, key);
			write_schema(out, program->aggregates[a].commands[i].data, FORM_WIRE);
		}
		for (size_t i = 0; i < door->event_count; i++) {
			snprintf(key, sizeof key, "%s.%s.event.%s", program->door.domain.data, door->name.data,
				 door->events[i].name.data);
			json_key(out, key);
			write_schema(out, program->aggregates[a].events[i].data, FORM_STORED);
		}
	}
	buf_byte(out, '}');
}

int
moon_openapi(const struct moon_program *program, struct buf *out)
{
	buf_byte(out, '{');
	write_paths(out, program);
	write_components(out, program);
	buf_byte(out, '}');
	return out->failed ? -1 : 0;
}
