/* SPDX-License-Identifier: MIT */
/*
 * Promises: what a handler returns is taken whole or not at all: each event has a declared type and fits its
 * schema, goes to a stream that the decision read, and is folded from its canonical bytes; its messages follow
 * it in the same commit.
 *
 * Everything is copied into the decision's arena before the next call of Lua, so a script cannot change what it gave.
 */
#include <lauxlib.h>

#include "base/json.h"
#include "script/lua/decide.h"

void *
moon_grow(lua_State *L, struct arena *arena, void *items, size_t count, size_t *room, size_t size)
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
	d->reservations = moon_grow(L, d->arena, d->reservations, d->reservation_count, &d->reservation_room,
				    sizeof *d->reservations);
	if (d->reservation_count == APPEND_ENTRY_MAX)
		luaL_error(L, "a decision reserves more than %d keys", APPEND_ENTRY_MAX);
	d->reservations[d->reservation_count] = *reservation;
	d->reservations[d->reservation_count++].stream = d->own;
}

struct new_entry *
moon_add_entry(lua_State *L, struct deciding *d, size_t bytes)
{
	d->bytes += bytes;
	if (d->entry_count == APPEND_ENTRY_MAX)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "more than %d events and messages",
			  APPEND_ENTRY_MAX);
	if (d->bytes > MACHINE_RESULT_BYTES)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "events and messages of more than %zu bytes",
			  MACHINE_RESULT_BYTES);
	d->entries = moon_grow(L, d->arena, d->entries, d->entry_count, &d->entry_room, sizeof *d->entries);
	struct new_entry *entry = &d->entries[d->entry_count++];
	*entry = (struct new_entry){ .schema_version = 1 };
	return entry;
}

int
moon_raw_field(lua_State *L, int index, const char *name)
{
	index = lua_absindex(L, index);
	lua_pushstring(L, name);
	return lua_rawget(L, index);
}

void
moon_take_fields(lua_State *L, uint32_t handler, int index, const char *what, const char *const *names)
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

/* ---- messages ---- */

/* A text field of the message at `at`, kept. */
static struct slice
message_text(lua_State *L, struct deciding *d, uint32_t handler, int at, const char *type, const char *field)
{
	struct slice text = SLICE_NONE;
	if (moon_raw_field(L, at, field) == LUA_TSTRING) {
		text.data = lua_tolstring(L, -1, &text.size);
		if (!json_utf8(text))
			moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "message %s: %s is not UTF-8", type, field);
		text = moon_keep(L, d->arena, text);
	} else if (!lua_isnil(L, -1)) {
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "message %s: %s is no text", type, field);
	}
	lua_pop(L, 1);
	return text;
}

/* Canonical JSON of the value on top, popped. */
static struct slice
message_json(lua_State *L, struct deciding *d, uint32_t handler, const char *what, const char *type)
{
	struct buf *scratch = &d->machine->scratch;
	struct fault fault;
	buf_clear(scratch);
	if (json_write(L, -1, scratch, NULL, &fault) != 0)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "%s%s: %s", what, type, fault.text);
	lua_pop(L, 1);
	return moon_keep(L, d->arena, buf_slice(scratch));
}

static struct slice
message_type(lua_State *L, struct deciding *d, const struct moon_taking *taking, int at)
{
	struct slice type;
	if (moon_raw_field(L, at, taking->name) != LUA_TSTRING)
		moon_fail(L, taking->handler, FAULT_SCRIPT, "bad_result", "a message without a type");
	type.data = lua_tolstring(L, -1, &type.size);
	if (type.size == 0 || type.size > ENTRY_TYPE_MAX)
		moon_fail(L, taking->handler, FAULT_SCRIPT, "bad_result", "a message's type has 1 to %d bytes",
			  ENTRY_TYPE_MAX);
	if (!json_utf8(type))
		moon_fail(L, taking->handler, FAULT_SCRIPT, "bad_result", "a message's type is not UTF-8");
	type = moon_keep(L, d->arena, type);
	lua_pop(L, 1);
	return type;
}

/* Of the table on top. */
static size_t
count_headers(lua_State *L)
{
	size_t count = 0;
	for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
		count++;
	return count;
}

void
moon_take_message(lua_State *L, struct deciding *d, const struct moon_taking *taking)
{
	const char *const fields[] = { taking->name, "data", "key", "headers", taking->topic.size > 0 ? NULL : "topic",
				       NULL };
	uint32_t handler = taking->handler;
	int at = lua_gettop(L);
	struct slice topic = taking->topic, headers = SLICE_NONE;
	if (lua_type(L, at) != LUA_TTABLE)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "a message is a %s, not a table",
			  luaL_typename(L, at));
	moon_take_fields(L, handler, at, "a message", fields);
	struct slice type = message_type(L, d, taking, at);
	if (topic.size == 0)
		topic = message_text(L, d, handler, at, type.data, "topic");
	if (!moon_topic_ok(topic))
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result",
			  "message %s: topic is a text of 1 to 249 letters, digits, '.', '_' and '-'", type.data);
	if (moon_raw_field(L, at, "data") == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	struct slice data = message_json(L, d, handler, "message ", type.data);
	struct slice key = message_text(L, d, handler, at, type.data, "key");
	size_t count = 0;
	if (moon_raw_field(L, at, "headers") == LUA_TTABLE) {
		count = count_headers(L);
		headers = message_json(L, d, handler, "headers of ", type.data);
	}
	if (key.size > MESSAGE_KEY_MAX || headers.size > MESSAGE_HEADERS_MAX)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result",
			  "message %s: a key of %zu and headers of %zu bytes; %d "
			  "and %d are allowed",
			  type.data, key.size, headers.size, MESSAGE_KEY_MAX, MESSAGE_HEADERS_MAX);
	if (count > MESSAGE_HEADERS_COUNT)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "message %s: %zu headers; %d are allowed", type.data,
			  count, MESSAGE_HEADERS_COUNT);
	struct new_entry *entry = moon_add_entry(L, d, data.size + headers.size);
	entry->kind = ENTRY_MESSAGE;
	entry->stream = taking->stream;
	entry->type = type;
	entry->data = data;
	entry->topic = topic;
	entry->key = key.size > 0 ? key : taking->key;
	entry->headers = headers;
	lua_settop(L, at - 1);
}

/* ---- events ---- */

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
	const struct moon_taking taking = { .handler = map, .stream = stream, .name = "type", .topic = topic };
	if (lua_type(L, result) == LUA_TTABLE && lua_rawlen(L, result) > 0) {
		for (lua_Integer i = 1; lua_rawgeti(L, result, i) == LUA_TTABLE; i++)
			moon_take_message(L, d, &taking);
	} else if (lua_type(L, result) == LUA_TTABLE) {
		lua_pushvalue(L, result);
		moon_take_message(L, d, &taking);
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
		.time_us = d->context->now_us,
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
	uint32_t stream;
	if (moon_raw_field(L, at, "stream") == LUA_TNIL) {
		lua_pop(L, 1);
		return d->own;
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

void
moon_take_event(lua_State *L, struct deciding *d, uint32_t stream, uint16_t event)
{
	struct moon_machine *machine = d->machine;
	struct touched_stream *touched = &d->streams[stream];
	const struct script_event *door = &machine->program->door.aggregates[touched->aggregate].events[event];
	const struct moon_event *rule = &machine->program->aggregates[touched->aggregate].events[event];
	const struct schema_context context = { .mode = SCHEMA_STORED, .currency = machine->program->currency };
	struct schema_trouble trouble;
	buf_clear(&machine->scratch);
	if (schema_write(L, -1, rule->data, &context, &machine->scratch, &trouble) != 0)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "%s %s: %s%s%s",
			  rule->own == OWN_SAVED ? "state, as" : "event", door->name.data, trouble.path,
			  trouble.path[0] != '\0' ? ": " : "", trouble.reason);
	struct slice data = moon_keep(L, d->arena, buf_slice(&machine->scratch));
	struct new_entry *entry = moon_add_entry(L, d, data.size);
	entry->kind = ENTRY_EVENT;
	entry->stream = stream;
	entry->type = door->name;
	entry->schema_version = door->version;
	entry->data = data;
	if (rule->map == 0)
		entry->topic = door->topic;
	touched->written = true;
	touched->events++;
	touched->unchecked = true;
	touched->last = event;
	fold_entry(L, d, entry, event);
	lua_pop(L, 1);
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
	moon_take_fields(L, d->handler, at, "an event", fields);
	if (moon_raw_field(L, at, "type") != LUA_TSTRING)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "event %d has no type", (int)number);
	struct slice type;
	type.data = lua_tolstring(L, -1, &type.size);
	uint32_t stream = stream_of(L, d, at);
	uint16_t aggregate = d->streams[stream].aggregate;
	int event = moon_event_find(machine->program, aggregate, type);
	if (event < 0)
		moon_fail(L, d->handler, FAULT_SCRIPT, "bad_result", "aggregate %s declares no event '%s'",
			  machine->program->door.aggregates[aggregate].name.data, type.data);
	if (moon_raw_field(L, at, "data") == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	moon_take_event(L, d, stream, (uint16_t)event);
	lua_settop(L, at - 1);
}

lua_Integer
moon_take_list(lua_State *L, uint32_t handler, int index, const char *what)
{
	if (lua_type(L, index) != LUA_TTABLE)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result",
			  "the handler gives a %s; it must return a list of %s, or nil and a refusal",
			  luaL_typename(L, index), what);
	lua_Integer count = (lua_Integer)lua_rawlen(L, index), keys = 0;
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		keys++;
	}
	if (keys != count)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result",
			  "the handler gives a table that is no list; %s go as { { ... } }", what);
	if (count > APPEND_ENTRY_MAX)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "more than %d %s", APPEND_ENTRY_MAX, what);
	return count;
}

void
moon_check_states(lua_State *L, struct deciding *d)
{
	const struct moon_program *program = d->machine->program;
	for (size_t i = 0; i < d->stream_count; i++) {
		struct touched_stream *stream = &d->streams[i];
		if (!stream->unchecked)
			continue;
		stream->unchecked = false;
		moon_state_push(L, d->machine, stream->state);
		moon_state_check(L, program->aggregates[stream->aggregate].events[stream->last].apply,
				 program->door.aggregates[stream->aggregate].events[stream->last].name);
	}
}

void
moon_take_events(lua_State *L, struct deciding *d, int index)
{
	lua_Integer count = moon_take_list(L, d->handler, index, "events");
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, index, i);
		take_event(L, d, i);
	}
	moon_check_states(L, d);
}

/* { state = ..., messages = { ... } }: what is not said stays as it is. */
void
moon_take_document(lua_State *L, struct deciding *d, int index)
{
	static const char *const fields[] = { "state", "messages", NULL };
	uint32_t stream = d->own;
	const struct moon_taking taking = { .handler = d->handler, .stream = stream, .name = "type" };
	if (lua_type(L, index) != LUA_TTABLE)
		moon_fail(
			L, d->handler, FAULT_SCRIPT, "bad_result",
			"the handler gives a %s; it must return { state = ..., messages = ... }, or nil and a refusal",
			luaL_typename(L, index));
	moon_take_fields(L, d->handler, index, "what a document's command gives", fields);
	if (moon_raw_field(L, index, "state") != LUA_TNIL)
		moon_take_event(
			L, d, stream,
			(uint16_t)moon_event_find(d->machine->program, d->streams[stream].aggregate, SLICE("Saved")));
	else
		lua_pop(L, 1);
	if (moon_raw_field(L, index, "messages") != LUA_TNIL) {
		int list = lua_gettop(L);
		lua_Integer count = moon_take_list(L, d->handler, list, "messages");
		for (lua_Integer i = 1; i <= count; i++) {
			lua_rawgeti(L, list, i);
			moon_take_message(L, d, &taking);
		}
	}
	lua_pop(L, 1);
}
