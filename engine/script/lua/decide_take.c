/* SPDX-License-Identifier: MIT */
/*
 * Promises: what a handler returns is taken whole or not at all: each event has a declared type and fits its
 * schema, goes to a stream that the decision read, and is folded from its canonical bytes; its messages follow
 * it in the same commit.
 *
 * Everything is copied into the decision's arena before the next call of Lua, so a script cannot change what it gave.
 */
#include <lauxlib.h>

#include "script/lua/decide.h"

/* Makes room for one more in an array in the arena; gives the array. */
static void *
grow(lua_State *L, struct arena *arena, void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	*room = *room == 0 ? 8 : *room * 2;
	void *more = moon_alloc(L, arena, *room, size);
	if (count > 0)
		memcpy(more, items, count * size);
	return more;
}

void
moon_decision_reserve(lua_State *L, struct deciding *d, const struct reservation *reservation)
{
	d->reservations =
		grow(L, d->arena, d->reservations, d->reservation_count, &d->reservation_room, sizeof *d->reservations);
	if (d->reservation_count == APPEND_ENTRY_MAX)
		luaL_error(L, "a decision reserves more than %d keys", APPEND_ENTRY_MAX);
	d->reservations[d->reservation_count++] = *reservation;
}

static struct new_entry *
add_entry(lua_State *L, struct deciding *d, size_t bytes)
{
	d->bytes += bytes;
	if (d->entry_count == APPEND_ENTRY_MAX)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "more than %d events and messages",
			  APPEND_ENTRY_MAX);
	if (d->bytes > MACHINE_RESULT_BYTES)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "events and messages of more than %zu bytes",
			  MACHINE_RESULT_BYTES);
	d->entries = grow(L, d->arena, d->entries, d->entry_count, &d->entry_room, sizeof *d->entries);
	struct new_entry *entry = &d->entries[d->entry_count++];
	*entry = (struct new_entry){ .schema_version = 1 };
	return entry;
}

/* Pushes a field of the table at `index`, raw. */
static int
raw_field(lua_State *L, int index, const char *name)
{
	index = lua_absindex(L, index);
	lua_pushstring(L, name);
	return lua_rawget(L, index);
}

/* Refuses fields beside the named ones (NULL-ended), so that a misspelt one does not vanish. */
static void
only_fields(lua_State *L, uint32_t handler, int index, const char *what, const char *const *names)
{
	index = lua_absindex(L, index);
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
		const char *const *name = names;
		while (key != NULL && *name != NULL && strcmp(*name, key) != 0)
			name++;
		if (key == NULL || *name == NULL)
			moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "%s has a field '%s'", what,
				  key != NULL ? key : "[number]");
	}
}

static void
take_message(lua_State *L, struct deciding *d, uint32_t map, uint32_t stream, struct slice topic)
{
	static const char *const fields[] = { "type", "data", "key", "headers", NULL };
	struct moon_machine *machine = d->machine;
	struct fault fault;
	int at = lua_gettop(L);
	only_fields(L, map, at, "a message", fields);
	struct slice type, key = SLICE_NONE, headers = SLICE_NONE;
	if (raw_field(L, at, "type") != LUA_TSTRING)
		moon_fail(L, map, FAULT_SCRIPT, "bad_result", "a message without a type");
	type.data = lua_tolstring(L, -1, &type.size);
	if (type.size == 0 || type.size > ENTRY_TYPE_MAX)
		moon_fail(L, map, FAULT_SCRIPT, "bad_result", "a message's type has 1 to %d bytes", ENTRY_TYPE_MAX);
	buf_clear(&machine->scratch);
	if (raw_field(L, at, "data") == LUA_TNIL)
		lua_newtable(L);
	if (json_write(L, -1, &machine->scratch, NULL, &fault) != 0)
		moon_fail(L, map, FAULT_SCRIPT, "bad_result", "message %s: %s", type.data, fault.text);
	struct slice data = moon_keep(L, d->arena, buf_slice(&machine->scratch));
	if (raw_field(L, at, "key") == LUA_TSTRING) {
		key.data = lua_tolstring(L, -1, &key.size);
		key = moon_keep(L, d->arena, key);
	} else if (!lua_isnil(L, -1)) {
		moon_fail(L, map, FAULT_SCRIPT, "bad_result", "message %s: key is no text", type.data);
	}
	if (raw_field(L, at, "headers") == LUA_TTABLE) {
		buf_clear(&machine->scratch);
		if (json_write(L, -1, &machine->scratch, NULL, &fault) != 0)
			moon_fail(L, map, FAULT_SCRIPT, "bad_result", "headers of %s: %s", type.data, fault.text);
		headers = moon_keep(L, d->arena, buf_slice(&machine->scratch));
	}
	struct new_entry *entry = add_entry(L, d, data.size + headers.size);
	entry->kind = ENTRY_MESSAGE;
	entry->stream = stream;
	entry->type = moon_keep(L, d->arena, type);
	entry->data = data;
	entry->topic = topic;
	entry->key = key;
	entry->headers = headers;
	lua_settop(L, at - 1);
}

/* data, state on top; both popped. */
static void
take_messages(lua_State *L, struct deciding *d, uint32_t map, uint32_t stream, struct slice topic)
{
	int state = lua_gettop(L);
	moon_push_handler(L, d->machine, map);
	lua_pushvalue(L, state - 1);
	lua_rawgeti(L, LUA_REGISTRYINDEX, d->machine->meta_object);
	lua_pushvalue(L, state);
	lua_call(L, 3, 1);
	int result = lua_gettop(L);
	if (lua_type(L, result) == LUA_TTABLE && lua_rawlen(L, result) > 0) {
		for (lua_Integer i = 1; lua_rawgeti(L, result, i) == LUA_TTABLE; i++)
			take_message(L, d, map, stream, topic);
	} else if (lua_type(L, result) == LUA_TTABLE) {
		lua_pushvalue(L, result);
		take_message(L, d, map, stream, topic);
	} else if (!lua_isnil(L, result)) {
		moon_fail(L, map, FAULT_SCRIPT, "bad_result", "publish.map gives a %s, not a message",
			  luaL_typename(L, result));
	}
	lua_settop(L, state - 2);
}

/* Folds the entry into its stream's copy, then asks for its messages. */
static void
fold_entry(lua_State *L, struct deciding *d, const struct new_entry *recorded, uint16_t event)
{
	struct moon_machine *machine = d->machine;
	struct new_entry entry = *recorded; /* the array may move */
	struct touched_stream *stream = &d->streams[entry.stream];
	const struct moon_event *rule = &machine->program->aggregates[stream->aggregate].events[event];
	const struct script_event *door = &machine->program->door.aggregates[stream->aggregate].events[event];
	struct fault fault;
	d->folding = true;
	machine->meta = (struct moon_meta){
		.active = true,
		.provisional = true,
		.type = entry.type,
		.stream = stream->name,
		.version = stream->version + stream->events,
		.time_us = d->request->context.now_us,
	};
	if (json_read(L, entry.data, NULL, &fault) != 0)
		moon_fail_fault(L, &fault);
	lua_pushvalue(L, -1);
	moon_state_push(L, machine, stream->state);
	lua_insert(L, -2);
	moon_apply(L, machine, stream->aggregate, event);
	stream->meta_touched |= machine->meta.touched;
	lua_pushvalue(L, -1);
	moon_state_set(L, machine, stream->state);
	if (rule->map != 0)
		take_messages(L, d, rule->map, entry.stream, door->topic);
	else
		lua_pop(L, 2);
}

static uint32_t
stream_of(lua_State *L, struct deciding *d, int at)
{
	uint32_t stream = 0;
	if (raw_field(L, at, "stream") == LUA_TNIL) {
		lua_pop(L, 1);
		return 0;
	}
	if (d->handles != LUA_NOREF) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, d->handles);
		lua_insert(L, -2);
		lua_rawget(L, -2);
		lua_remove(L, -2);
	}
	if (!lua_isinteger(L, -1))
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "an event's stream must be what ctx:load gave");
	stream = (uint32_t)lua_tointeger(L, -1);
	lua_pop(L, 1);
	return stream;
}

/* The event on top, popped. */
static void
take_event(lua_State *L, struct deciding *d, lua_Integer number)
{
	static const char *const fields[] = { "type", "data", "stream", NULL };
	struct moon_machine *machine = d->machine;
	int at = lua_gettop(L);
	if (lua_type(L, at) != LUA_TTABLE)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "event %d is a %s, not a table", (int)number,
			  luaL_typename(L, at));
	only_fields(L, d->handler, at, "an event", fields);
	if (raw_field(L, at, "type") != LUA_TSTRING)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "event %d has no type", (int)number);
	struct slice type;
	type.data = lua_tolstring(L, -1, &type.size);
	uint32_t number_of_stream = stream_of(L, d, at);
	struct touched_stream *stream = &d->streams[number_of_stream];
	const struct script_aggregate *door = &machine->program->door.aggregates[stream->aggregate];
	int event = moon_event_find(machine->program, stream->aggregate, type);
	if (event < 0)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "aggregate %s declares no event '%s'",
			  door->name.data, type.data);
	if (raw_field(L, at, "data") == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	const struct moon_event *rule = &machine->program->aggregates[stream->aggregate].events[event];
	const struct schema_context context = { .mode = SCHEMA_STORED, .currency = machine->program->currency };
	struct schema_trouble trouble;
	buf_clear(&machine->scratch);
	if (schema_write(L, -1, rule->data, &context, &machine->scratch, &trouble) != 0)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "event %s: %s%s%s", type.data, trouble.path,
			  trouble.path[0] != '\0' ? ": " : "", trouble.reason);
	struct slice data = moon_keep(L, d->arena, buf_slice(&machine->scratch));
	struct new_entry *entry = add_entry(L, d, data.size);
	entry->kind = ENTRY_EVENT;
	entry->stream = number_of_stream;
	entry->type = door->events[event].name;
	entry->schema_version = door->events[event].version;
	entry->data = data;
	if (rule->map == 0)
		entry->topic = door->events[event].topic;
	stream->written = true;
	stream->events++;
	fold_entry(L, d, entry, (uint16_t)event);
	lua_settop(L, at - 1);
}

void
moon_take_events(lua_State *L, struct deciding *d)
{
	if (lua_type(L, AT_EVENTS) != LUA_TTABLE)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result",
			  "the handler gives a %s; it must return a list of events, or nil and a refusal",
			  luaL_typename(L, AT_EVENTS));
	lua_Integer count = (lua_Integer)lua_rawlen(L, AT_EVENTS);
	lua_Integer keys = 0;
	lua_pushnil(L);
	while (lua_next(L, AT_EVENTS)) {
		lua_pop(L, 1);
		keys++;
	}
	if (keys != count)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result",
			  "the handler gives a table that is no list; events go as { { type = ..., data = ... } }");
	if (count > APPEND_ENTRY_MAX)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "more than %d events", APPEND_ENTRY_MAX);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, AT_EVENTS, i);
		take_event(L, d, i);
	}
}
