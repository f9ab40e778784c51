/* SPDX-License-Identifier: MIT */
/* Checks of a projection's file: its tables first (all files), then its handlers against the events that exist. */
#include <lauxlib.h>
#include <stdlib.h>

#include "base/suggest.h"
#include "script/lua/inspect.h"

#define TABLE_NAME_MAX   63
#define TABLE_COLUMN_MAX 200
#define TABLE_INDEX_MAX  30

/* ---- columns ---- */

static enum column_type
column_type(struct inspection *in, struct slice text)
{
	static const struct {
		struct slice name;
		enum column_type type;
	} types[] = {
		{ SLICE("text"), COLUMN_TEXT },   { SLICE("integer"), COLUMN_INTEGER },
		{ SLICE("real"), COLUMN_REAL },   { SLICE("boolean"), COLUMN_BOOLEAN },
		{ SLICE("money"), COLUMN_MONEY }, { SLICE("time"), COLUMN_TIME },
		{ SLICE("json"), COLUMN_JSON },
	};
	for (size_t i = 0; i < countof(types); i++)
		if (slice_equal(types[i].name, text))
			return types[i].type;
	inspect_fail(in, NULL, "unknown column type '%.*s' (text integer real boolean money time json)",
		     SLICE_ARG(text));
}

/* The definition on top: "text?" or { type = "text", optional, max_length, currency }. */
static void
inspect_column(struct inspection *in, struct column *column)
{
	static const char *const fields[] = { "type", "optional", "max_length", "currency", NULL };
	lua_State *L = in->L;
	struct slice text = SLICE_NONE;
	if (lua_type(L, -1) == LUA_TTABLE) {
		inspect_fields(in, fields);
		text = inspect_text(in, "type");
		column->optional = inspect_flag(in, "optional");
		column->length_max = (uint32_t)inspect_integer(in, "max_length", 1, 1 << 20, 0);
		column->currency = inspect_text(in, "currency");
	} else if (lua_type(L, -1) == LUA_TSTRING) {
		text.data = lua_tolstring(L, -1, &text.size);
	} else {
		inspect_fail(in, NULL, "a column is a text or a table, not a %s", luaL_typename(L, -1));
	}
	if (text.size > 0 && text.data[text.size - 1] == '?') {
		column->optional = true;
		text.size--;
	}
	column->type = column_type(in, text);
	if (column->length_max > 0 && column->type != COLUMN_TEXT)
		inspect_fail(in, "max_length", "'max_length' is for text columns");
	if (column->currency.size > 0 && column->type != COLUMN_MONEY)
		inspect_fail(in, "currency", "'currency' is for money columns");
}

static int
find_column(const struct table *table, struct slice name)
{
	for (uint16_t i = 0; i < table->column_count; i++)
		if (slice_equal(table->columns[i].name, name))
			return i;
	return -1;
}

static void
inspect_columns(struct inspection *in, struct table *table)
{
	lua_State *L = in->L;
	size_t count;
	if (inspect_push(in, "columns", LUA_TTABLE) == LUA_TNIL)
		inspect_fail(in, NULL, "'columns' is missing");
	inspect_enter(in, SLICE("columns"));
	const struct slice *names = inspect_keys(in, &count);
	if (count == 0 || count > TABLE_COLUMN_MAX)
		inspect_fail(in, NULL, "a table has 1 to %d columns", TABLE_COLUMN_MAX);
	struct column *columns = inspect_alloc(in, count, sizeof *columns);
	for (size_t i = 0; i < count; i++) {
		if (!inspect_name_ok(names[i], TABLE_NAME_MAX))
			inspect_fail(in, names[i].data,
				     "'%s' cannot be a column: letters, digits and _, a letter first", names[i].data);
		lua_getfield(L, -1, names[i].data);
		inspect_enter(in, names[i]);
		columns[i].name = names[i];
		inspect_column(in, &columns[i]);
		inspect_leave(in);
		lua_pop(L, 1);
	}
	inspect_leave(in);
	lua_pop(L, 1);
	table->columns = columns;
	table->column_count = (uint16_t)count;
}

/* Which column names the currency of each money column: the one said, else "currency" or "Currency" beside it. */
static const uint16_t *
currency_columns(struct inspection *in, const struct table *table)
{
	uint16_t *numbers = inspect_alloc(in, table->column_count, sizeof *numbers);
	struct column *columns = (struct column *)(uintptr_t)table->columns;
	for (uint16_t i = 0; i < table->column_count; i++) {
		if (columns[i].type != COLUMN_MONEY)
			continue;
		int at = find_column(table, columns[i].currency);
		if (columns[i].currency.size > 0 && (at < 0 || columns[at].type != COLUMN_TEXT))
			inspect_fail(in, columns[i].currency.data, "currency of %s: there is no text column '%s'",
				     columns[i].name.data, columns[i].currency.data);
		if (at < 0)
			at = find_column(table, SLICE("currency"));
		if (at < 0)
			at = find_column(table, SLICE("Currency"));
		if (at < 0 || columns[at].type != COLUMN_TEXT)
			continue;
		numbers[i] = (uint16_t)(at + 1);
		columns[i].currency = columns[at].name;
	}
	return numbers;
}

/* ---- keys and indexes ---- */

/* The list of column names on top. */
static struct column_set
inspect_column_set(struct inspection *in, const struct table *table, const char *what)
{
	lua_State *L = in->L;
	lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
	if (count == 0 || count > ROW_KEY_MAX)
		inspect_fail(in, what, "'%s' is a list of 1 to %d columns", what, ROW_KEY_MAX);
	uint16_t *columns = inspect_alloc(in, (size_t)count, sizeof *columns);
	for (lua_Integer i = 1; i <= count; i++) {
		struct slice name = SLICE_NONE;
		if (lua_rawgeti(L, -1, i) == LUA_TSTRING)
			name.data = lua_tolstring(L, -1, &name.size);
		int at = find_column(table, name);
		if (at < 0)
			inspect_fail(in, name.data, "%s: the table has no column '%.*s'", what, SLICE_ARG(name));
		if (table->columns[at].type == COLUMN_JSON)
			inspect_fail(in, name.data, "%s: '%s' is a json column", what, name.data);
		for (lua_Integer j = 0; j + 1 < i; j++)
			if (columns[j] == at)
				inspect_fail(in, name.data, "%s: '%s' is there twice", what, name.data);
		columns[i - 1] = (uint16_t)at;
		lua_pop(L, 1);
	}
	return (struct column_set){ .columns = columns, .count = (uint16_t)count };
}

static void
inspect_indexes(struct inspection *in, struct table *table)
{
	lua_State *L = in->L;
	inspect_push(in, "indexes", LUA_TTABLE);
	lua_Integer count = lua_isnil(L, -1) ? 0 : (lua_Integer)lua_rawlen(L, -1);
	if (count > TABLE_INDEX_MAX)
		inspect_fail(in, "indexes", "more than %d indexes", TABLE_INDEX_MAX);
	struct column_set *indexes = inspect_alloc(in, (size_t)count, sizeof *indexes);
	for (lua_Integer i = 1; i <= count; i++) {
		if (lua_rawgeti(L, -1, i) != LUA_TTABLE)
			inspect_fail(in, "indexes", "an index is a list of columns: { \"Name\", unique = true }");
		indexes[i - 1] = inspect_column_set(in, table, "indexes");
		lua_pushliteral(L, "unique");
		lua_rawget(L, -2);
		indexes[i - 1].unique = lua_toboolean(L, -1);
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
	table->indexes = indexes;
	table->index_count = (uint16_t)count;
}

static void
inspect_key(struct inspection *in, struct table *table)
{
	if (inspect_push(in, "key", LUA_TTABLE) == LUA_TNIL)
		inspect_fail(in, NULL, "'key' is missing: the list of columns that make a row the same row");
	table->key = inspect_column_set(in, table, "key");
	table->key.unique = true;
	for (uint16_t i = 0; i < table->key.count; i++)
		if (table->columns[table->key.columns[i]].optional)
			inspect_fail(in, "key", "key: '%s' is optional",
				     table->columns[table->key.columns[i]].name.data);
	lua_pop(in->L, 1);
}

/* The column that says which stream a row comes from. */
static void
inspect_stream_column(struct inspection *in, struct table *table)
{
	struct slice name = inspect_text(in, "stream_column");
	if (name.data == NULL)
		return;
	int at = find_column(table, name);
	if (at < 0)
		inspect_fail(in, name.data, "stream_column: the table has no column '%.*s'", SLICE_ARG(name));
	if (table->columns[at].type != COLUMN_TEXT || table->columns[at].optional)
		inspect_fail(in, name.data, "stream_column: '%s' must be a text column that is never empty", name.data);
	table->stream_column = (uint16_t)(at + 1);
}

static void
inspect_table(struct inspection *in, void *self)
{
	struct slice name = *(struct slice *)self;
	static const char *const fields[] = { "key", "columns", "indexes", "stream_column", NULL };
	struct table *table = &in->tables[in->table_count];
	struct moon_table *rules = &in->table_rules[in->table_count];
	if (lua_type(in->L, -1) != LUA_TTABLE)
		inspect_fail(in, NULL, "is a %s, not a table", luaL_typename(in->L, -1));
	if (!inspect_name_ok(name, TABLE_NAME_MAX))
		inspect_fail(in, name.data, "'%s' cannot be a table: letters, digits and _, a letter first", name.data);
	for (size_t i = 0; i < in->table_count; i++)
		if (slice_equal(in->tables[i].name, name))
			inspect_fail_as(in, "duplicate", name.data, "table '%s' is declared twice in the domain",
					name.data);
	table->name = name;
	inspect_fields(in, fields);
	inspect_columns(in, table);
	inspect_key(in, table);
	inspect_indexes(in, table);
	inspect_stream_column(in, table);
	uint16_t *sorted = inspect_alloc(in, table->column_count, sizeof *sorted);
	for (uint16_t i = 0; i < table->column_count; i++)
		sorted[i] = i; /* inspect_keys gave the columns in this order */
	rules->sorted = sorted;
	rules->currency_column = currency_columns(in, table);
}

void
inspect_tables(struct inspection *in)
{
	lua_State *L = in->L;
	size_t count;
	struct script_projection *door = &in->projections[in->projection_count];
	inspect_push(in, "tables", LUA_TTABLE);
	inspect_enter(in, SLICE("tables"));
	struct slice *names = inspect_keys(in, &count);
	uint16_t *numbers = inspect_alloc(in, count, sizeof *numbers);
	for (size_t i = 0; i < count; i++) {
		lua_getfield(L, -1, names[i].data);
		inspect_enter(in, names[i]);
		numbers[i] = (uint16_t)in->table_count;
		inspect_try(in, inspect_table, &names[i]);
		in->table_count++;
		inspect_leave(in);
		lua_pop(L, 1);
	}
	inspect_leave(in);
	lua_pop(L, 1);
	door->tables = numbers;
	door->table_count = count;
	in->projection_count++;
}

/* ---- handlers ---- */

static void
claim(struct inspection *in, struct inspect_reach *reach, size_t aggregate, struct slice event)
{
	const struct script_aggregate *door = &in->aggregates[aggregate];
	for (size_t i = 0; i < door->event_count; i++) {
		if (!slice_equal(door->events[i].name, event))
			continue;
		if (reach->numbers[aggregate] == NULL)
			reach->numbers[aggregate] = inspect_alloc(in, door->event_count, sizeof **reach->numbers);
		if (reach->numbers[aggregate][i] != 0)
			inspect_fail_as(in, "duplicate", event.data, "%s.%s is handled twice", door->name.data,
					event.data);
		reach->numbers[aggregate][i] = reach->number;
		reach->found = true;
	}
}

/* The nearest of all events of the domain. */
static const char *
nearest_event(const struct inspection *in, struct slice event, char *text, size_t size)
{
	struct suggest suggest;
	suggest_start(&suggest, event);
	for (size_t i = 0; i < in->aggregate_count; i++)
		for (size_t j = 0; j < in->aggregates[i].event_count; j++)
			suggest_try(&suggest, in->aggregates[i].events[j].name.data);
	return suggest_text(&suggest, text, size);
}

void
inspect_event_name(struct inspection *in, struct slice key, struct inspect_reach *reach)
{
	struct slice parts[3], rest = key;
	size_t count = 0;
	reach->found = false;
	while (count < 3) {
		const char *dot = rest.size > 0 ? memchr(rest.data, '.', rest.size) : NULL;
		size_t size = dot != NULL ? (size_t)(dot - rest.data) : rest.size;
		parts[count++] = slice_from(rest.data, size);
		if (dot == NULL)
			break;
		rest = slice_from(dot + 1, rest.size - size - 1);
	}
	if (count == 3 && !slice_equal(parts[0], in->program->door.domain))
		inspect_fail(in, key.data, "'%s' is of another domain: %s follows its own domain", key.data,
			     reach->what);
	struct slice event = inspect_keep(in, parts[count - 1]);
	for (size_t i = 0; i < in->aggregate_count; i++)
		if (count == 1 || slice_equal(in->aggregates[i].name, parts[count - 2]))
			claim(in, reach, i, event);
	char hint[160];
	if (!reach->found)
		inspect_absent(in, "no_such_event", key.data, "the domain has no event '%s'%s", key.data,
			       nearest_event(in, event, hint, sizeof hint));
}

struct on_entry {
	struct slice key;
	struct inspect_reach *reach;
};

static void
on_entry(struct inspection *in, void *self)
{
	const struct on_entry *entry = self;
	entry->reach->number = inspect_handler(in, entry->key.data, true);
	inspect_event_name(in, entry->key, entry->reach);
}

static void
inspect_name(struct inspection *in, void *self)
{
	struct script_projection *door = self;
	door->name = inspect_text(in, "name");
	if (!stream_word_ok(door->name))
		inspect_fail(in, "name",
			     "a projection's name is 1 to 63 lower-case letters, digits and _, a letter first");
	for (size_t i = 0; i < in->projection_count; i++)
		if (slice_equal(in->projections[i].name, door->name))
			inspect_fail_as(in, "duplicate", "name", "projection '%s' is also in %s", door->name.data,
					in->program->sources.items[in->projection_rules[i].source].path.data);
}

/* Notes the events that no projection handles; many are not meant to be. */
void
inspect_unhandled(struct inspection *in)
{
	in->depth = 0;
	for (size_t a = 0; a < in->aggregate_count && in->projection_count > 0; a++) {
		const struct script_aggregate *door = &in->aggregates[a];
		in->source = in->aggregate_rules[a].source;
		for (size_t e = 0; e < door->event_count; e++) {
			bool handled = false;
			for (size_t p = 0; p < in->projection_count && !handled; p++) {
				const uint32_t *const *handlers = in->projection_rules[p].handlers;
				handled = handlers != NULL && handlers[a] != NULL && handlers[a][e] != 0;
			}
			for (size_t r = 0; r < in->reactor_count && !handled; r++) {
				const uint32_t *const *numbers = in->reactor_rules[r].events;
				handled = numbers != NULL && numbers[a] != NULL && numbers[a][e] != 0;
			}
			handled |= in->aggregate_rules[a].events[e].own != OWN_NONE;
			inspect_enter(in, SLICE("events"));
			inspect_enter(in, door->events[e].name);
			if (!handled)
				inspect_note(in, FINDING_NOTE, "unhandled_event", "no projection handles it");
			inspect_leave(in);
			inspect_leave(in);
		}
	}
}

/* All tables or none say which stream a row comes from; then all events are one aggregate's. */
static void
inspect_by_stream(struct inspection *in, void *self)
{
	uint32_t *const *handlers = self;
	struct script_projection *door = &in->projections[in->projection_count];
	size_t with = 0, aggregates = 0;
	const char *lacks = "";
	for (size_t i = 0; i < door->table_count; i++) {
		const struct table *table = &in->tables[door->tables[i]];
		with += table->stream_column != 0;
		if (table->stream_column == 0)
			lacks = table->name.data;
	}
	if (with == 0)
		return;
	if (with != door->table_count)
		inspect_fail(in, lacks,
			     "stream_column: table '%s' lacks it; all tables of a projection have it or none", lacks);
	for (size_t i = 0; i < in->aggregate_count; i++) {
		if (handlers[i] == NULL)
			continue;
		aggregates++;
		door->stream_aggregate = (uint16_t)i;
	}
	if (aggregates != 1)
		inspect_fail(in, "on",
			     "stream_column: the projection handles events of %d aggregates; a row that comes from one "
			     "stream comes from one aggregate",
			     (int)aggregates);
	door->by_stream = true;
}

struct message_entry {
	struct slice key;
	uint32_t *handler;
};

static void
message_entry(struct inspection *in, void *self)
{
	const struct message_entry *entry = self;
	if (entry->key.size == 0 || entry->key.size > ENTRY_TYPE_MAX)
		inspect_fail(in, NULL, "a type of messages has 1 to %d bytes", ENTRY_TYPE_MAX);
	*entry->handler = inspect_handler(in, entry->key.data, true);
}

/* The handlers in the table on top, by type of message. */
static void
inspect_messages(struct inspection *in, struct script_projection *door, struct moon_projection *rules,
		 const struct slice *keys, size_t count)
{
	uint32_t *handlers = inspect_alloc(in, count, sizeof *handlers);
	for (size_t i = 0; i < count; i++) {
		struct message_entry entry = { keys[i], &handlers[i] };
		inspect_try(in, message_entry, &entry);
	}
	door->messages = keys;
	door->message_count = count;
	rules->messages = handlers;
}

static void
inspect_events(struct inspection *in, struct script_projection *door, struct inspect_reach *reach,
	       const struct slice *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct on_entry entry = { keys[i], reach };
		inspect_try(in, on_entry, &entry);
	}
	door->events = keys;
	door->event_count = count;
}

static void
projection_topics(struct inspection *in, void *self)
{
	struct script_projection *door = self;
	door->topics = inspect_topics(in, &door->topic_count);
	for (size_t i = 0; i < door->table_count && door->topic_count > 0; i++)
		if (in->tables[door->tables[i]].stream_column != 0)
			inspect_fail(
				in, "stream_column",
				"stream_column: a projection that topics feed has no streams to make rows anew from");
}

void
inspect_projection(struct inspection *in)
{
	static const char *const fields[] = { "name", "tables", "on", "topics", "summary", NULL };
	lua_State *L = in->L;
	struct script_projection *door = &in->projections[in->projection_count];
	struct moon_projection *rules = &in->projection_rules[in->projection_count];
	size_t count;
	inspect_fields(in, fields);
	inspect_try(in, inspect_name, door);
	inspect_try(in, projection_topics, door);
	rules->source = in->source;
	inspect_push(in, "on", LUA_TTABLE);
	const struct slice *keys = inspect_keys(in, &count);
	struct inspect_reach reach = { .numbers = inspect_alloc(in, in->aggregate_count, sizeof *reach.numbers),
				       .what = "a projection" };
	inspect_enter(in, SLICE("on"));
	if (door->topic_count > 0)
		inspect_messages(in, door, rules, keys, count);
	else
		inspect_events(in, door, &reach, keys, count);
	inspect_leave(in);
	lua_pop(L, 1);
	rules->handlers = (const uint32_t *const *)reach.numbers;
	if (door->topic_count == 0)
		inspect_try(in, inspect_by_stream, reach.numbers);
	in->projection_count++;
}
