/* SPDX-License-Identifier: MIT */
/*
 * Promises: one decision is one protected call: input checked, handler run, its events checked against their schemas,
 * encoded canonically and folded - from those very bytes, as a replay will do - into copies of the states they touch.
 * What the handler was given may be changed by it without harm, and whatever goes wrong leaves nothing behind.
 *
 * The copy is made before the handler runs. After a decision without events it is what goes back to the cache; after
 * one with events it is the state after them; when the decision fails before the fold, it goes back all the same.
 */
#include <lauxlib.h>

#include "script/lua/machine.h"

#define DECISION_STREAMS_MAX 64

struct touched_stream {
	uint16_t aggregate;
	struct slice id;
	struct slice name;
	stream_version version;
	script_state state; /* the copy */
	uint32_t events;
	bool written;
	bool meta_touched;
};

struct deciding {
	struct moon_machine *machine;
	const struct decide_request *request;
	struct arena *arena;
	struct decided *out;
	uint32_t handler;
	struct touched_stream streams[DECISION_STREAMS_MAX];
	size_t stream_count;
	struct new_entry *entries;
	size_t entry_count;
	size_t entry_room;
	size_t bytes;
	struct reservation *reservations;
	size_t reservation_count;
	size_t reservation_room;
	int handles; /* registry: table of what ctx:load gave -> stream number */
	bool folding;
};

enum { AT_STATE = 2, AT_DATA, AT_EVENTS, AT_REPLY, AT_REFUSAL };

struct arena *
moon_decision_arena(const struct deciding *decision)
{
	return decision->arena;
}

/* ---- what the decision reads ---- */

static struct touched_stream *
add_stream(lua_State *L, struct deciding *d, uint16_t aggregate, struct slice id)
{
	const struct script_program *program = &d->machine->program->door;
	if (d->stream_count == DECISION_STREAMS_MAX)
		luaL_error(L, "a decision reads more than %d streams", DECISION_STREAMS_MAX);
	struct slice word = program->aggregates[aggregate].name;
	struct slice name = arena_format(d->arena, "%.*s.%.*s/%.*s", SLICE_ARG(program->domain), SLICE_ARG(word),
					 SLICE_ARG(id));
	if (name.data == NULL)
		moon_fail(L, 0, FAULT_MEMORY, "memory", "no memory for the name of a stream");
	struct touched_stream *stream = &d->streams[d->stream_count];
	*stream = (struct touched_stream){ .aggregate = aggregate, .name = name };
	stream->id = slice_from(name.data + name.size - id.size, id.size);
	d->stream_count++;
	return stream;
}

static void
read_input(lua_State *L, struct deciding *d, const struct moon_command *rule)
{
	const struct decide_request *request = d->request;
	struct schema_lift lift = { .name = SLICE("expectedVersion") };
	const struct schema_context context = {
		.mode = SCHEMA_WIRE,
		.currency = d->machine->program->currency,
		.params = request->params,
		.param_count = request->param_count,
		.lift = request->lift_expected ? &lift : NULL,
	};
	if (schema_read(L, rule->data, request->body, &context, &d->machine->input) != 0)
		moon_fail_input(L, &d->machine->input);
	if (!lift.found)
		return;
	d->out->has_expected = true;
	d->out->expected = (struct expected){ EXPECTED_EXACTLY, (stream_version)lift.integer };
}

/* Pushes the state for the handler; the copy stays in the stream's slot. */
static void
open_state(lua_State *L, struct deciding *d, struct touched_stream *stream, script_state given)
{
	if (given != 0)
		moon_state_push(L, d->machine, given);
	else
		moon_state_initial(L, d->machine, stream->aggregate);
	moon_state_copy(L, -1);
	stream->state = moon_state_keep(L, d->machine);
}

static void
push_handle(lua_State *L, struct deciding *d, size_t number)
{
	const struct touched_stream *stream = &d->streams[number];
	lua_createtable(L, 0, 4); /* above the state */
	lua_insert(L, -2);
	lua_setfield(L, -2, "state");
	lua_pushlstring(L, stream->id.data, stream->id.size);
	lua_setfield(L, -2, "id");
	lua_pushboolean(L, stream->version > 0);
	lua_setfield(L, -2, "exists");
	lua_pushinteger(L, (lua_Integer)stream->version);
	lua_setfield(L, -2, "version");
	lua_rawgeti(L, LUA_REGISTRYINDEX, d->handles);
	lua_pushvalue(L, -2);
	lua_pushinteger(L, (lua_Integer)number);
	lua_rawset(L, -3);
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, (lua_Integer)number + 1);
	lua_pop(L, 1);
}

static void
load_stream(lua_State *L, struct deciding *d, uint16_t aggregate, struct slice id)
{
	const struct script_loader *loader = &d->request->loader;
	struct fault fault;
	script_state given = 0;
	stream_version version = 0;
	struct touched_stream *stream = add_stream(L, d, aggregate, id);
	if (loader->load == NULL)
		luaL_error(L, "ctx:load: other streams cannot be read here");
	if (loader->load(loader->self, aggregate, stream->id, &given, &version, &fault) != 0)
		moon_fail_fault(L, &fault);
	stream->version = version;
	stream->state = given;
	if (given == 0) {
		open_state(L, d, stream, 0);
		return;
	}
	moon_state_push(L, d->machine, given);
	moon_state_copy(L, -1);
	moon_state_set(L, d->machine, given);
}

void
moon_decision_load(lua_State *L, struct deciding *d, uint16_t aggregate, struct slice id)
{
	luaL_checkstack(L, 12, NULL);
	if (d->handles == LUA_NOREF) {
		lua_newtable(L);
		d->handles = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	size_t number = 0;
	while (number < d->stream_count &&
	       (d->streams[number].aggregate != aggregate || !slice_equal(d->streams[number].id, id)))
		number++;
	lua_rawgeti(L, LUA_REGISTRYINDEX, d->handles);
	bool known = lua_rawgeti(L, -1, (lua_Integer)number + 1) == LUA_TTABLE;
	if (known)
		return;
	lua_pop(L, 2);
	if (number < d->stream_count) /* the command's own stream: a second table of the same state */
		moon_state_push(L, d->machine, d->streams[number].state), moon_state_copy(L, -1), lua_remove(L, -2);
	else
		load_stream(L, d, aggregate, id);
	push_handle(L, d, number);
}

/* ---- what it writes ---- */

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
	d->reservations = grow(L, d->arena, d->reservations, d->reservation_count, &d->reservation_room,
			       sizeof *d->reservations);
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
event_stream(lua_State *L, struct deciding *d, int at)
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
	uint32_t number_of_stream = event_stream(L, d, at);
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

static void
take_events(lua_State *L, struct deciding *d)
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

/* ---- the answer ---- */

static void
take_refusal(lua_State *L, struct deciding *d, int index)
{
	struct moon_machine *machine = d->machine;
	struct moon_refusal refusal;
	buf_clear(&machine->scratch);
	moon_refusal_read(L, index, d->handler, &refusal, &machine->scratch);
	d->out->decision = DECISION_REFUSED;
	d->out->status = refusal.status;
	d->out->code = moon_keep(L, d->arena, refusal.code);
	d->out->message = moon_keep(L, d->arena, refusal.message);
	if (machine->scratch.size > 0)
		d->out->details = moon_keep(L, d->arena, buf_slice(&machine->scratch));
}

static void
take_reply(lua_State *L, struct deciding *d, const struct moon_command *rule)
{
	struct moon_machine *machine = d->machine;
	const struct script_route *route = d->request->route;
	const struct moon_route *shape =
		route != NULL ? &machine->program->routes[route - machine->program->door.routes] : NULL;
	const struct schema *schema = shape != NULL && shape->returns != NULL ? shape->returns : rule->reply;
	uint32_t handler = d->handler;
	d->out->decision = DECISION_ACCEPTED;
	d->out->status = route != NULL ? route->status : 200;
	if (!lua_isnil(L, AT_REPLY) && lua_type(L, AT_REPLY) != LUA_TTABLE)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "the reply is a %s, not a table",
			  luaL_typename(L, AT_REPLY));
	lua_pushvalue(L, AT_REPLY);
	if (machine->plain_replies) {
		schema = NULL;
	} else if (shape != NULL && shape->reply != 0) {
		handler = shape->reply;
		schema = shape->returns;
		if (lua_isnil(L, -1)) {
			lua_pop(L, 1);
			lua_newtable(L);
		}
		moon_push_handler(L, machine, handler);
		lua_insert(L, -2);
		moon_reply_meta(L, d->streams[0].name, d->streams[0].id, d->streams[0].version + d->streams[0].events, 0);
		lua_call(L, 2, 1);
	}
	if (lua_isnil(L, -1))
		return;
	buf_clear(&machine->scratch);
	moon_answer_write(L, -1, schema, handler, &machine->scratch);
	d->out->reply = moon_keep(L, d->arena, buf_slice(&machine->scratch));
}

static int
decide_body(lua_State *L)
{
	struct deciding *d = vm_request(L);
	struct moon_machine *machine = d->machine;
	const struct decide_request *request = d->request;
	const struct moon_command *rule = &machine->program->aggregates[request->aggregate].commands[request->command];
	luaL_checkstack(L, 30, NULL);
	lua_settop(L, 1);
	d->handler = rule->handle;
	read_input(L, d, rule);
	struct touched_stream *own = add_stream(L, d, request->aggregate, request->id);
	own->version = request->version;
	open_state(L, d, own, request->state);
	lua_insert(L, AT_STATE);
	machine->ctx.id = own->id;
	machine->ctx.stream = own->name;
	machine->ctx.version = own->version;
	machine->ctx.decision = d;
	moon_push_handler(L, machine, rule->handle);
	lua_pushvalue(L, AT_STATE);
	lua_pushvalue(L, AT_DATA);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->ctx_object);
	lua_call(L, 3, 3);
	machine->ctx.decision = NULL;
	bool refused = lua_isnil(L, AT_EVENTS);
	if (refused && lua_isnil(L, AT_REPLY))
		moon_fail(L, rule->handle, FAULT_SCRIPT, "bad_result",
			  "the handler returns nothing; it must return a list of events ({} for none), or nil and a refusal");
	if (!refused)
		take_events(L, d);
	if (refused || !lua_isnil(L, AT_REFUSAL))
		take_refusal(L, d, refused ? AT_REPLY : AT_REFUSAL);
	else
		take_reply(L, d, rule);
	return 0;
}

/* ---- the door ---- */

static int
give_streams(struct deciding *d, struct fault *fault)
{
	struct decided_stream *streams = arena_zero(d->arena, d->stream_count, sizeof *streams);
	if (streams == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a decision's streams");
	for (size_t i = 0; i < d->stream_count; i++) {
		struct touched_stream *from = &d->streams[i];
		streams[i] = (struct decided_stream){ .name = from->name,
						      .version = from->version,
						      .written = from->written,
						      .event_count = from->events,
						      .meta_touched = from->meta_touched };
		if (i == 0 || from->written) {
			streams[i].state = from->state;
			from->state = 0;
		}
	}
	d->out->streams = streams;
	d->out->stream_count = d->stream_count;
	d->out->entries = d->entries;
	d->out->entry_count = d->entry_count;
	d->out->reservations = d->reservations;
	d->out->reservation_count = d->reservation_count;
	return 0;
}

/* After a failure: the own stream's state as it was, if it still is. */
static void
give_back(struct deciding *d)
{
	const struct decide_request *request = d->request;
	script_state state = request->state;
	if (d->stream_count > 0 && d->streams[0].state != 0) {
		moon_state_drop(d->machine, request->state);
		state = d->folding ? 0 : d->streams[0].state;
		if (state != 0)
			d->streams[0].state = 0;
	}
	*d->out = (struct decided){ 0 };
	struct decided_stream *stream = state != 0 ? arena_zero(d->arena, 1, sizeof *stream) : NULL;
	if (stream == NULL) {
		moon_state_drop(d->machine, state);
		return;
	}
	stream->version = request->version;
	stream->state = request->state != 0 ? state : 0;
	if (request->state == 0)
		moon_state_drop(d->machine, state);
	d->out->streams = stream;
	d->out->stream_count = 1;
}

int
moon_decide(struct script_machine *door, const struct decide_request *request, struct arena *arena,
	    struct decided *decided, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct deciding d = { .machine = machine, .request = request, .arena = arena, .out = decided,
			      .handles = LUA_NOREF };
	moon_ctx_begin(machine, &request->context);
	int result = moon_protect(machine, decide_body, &d, fault);
	moon_ctx_end(machine);
	machine->meta.active = false;
	if (result == 0)
		result = give_streams(&d, fault);
	if (result == 0)
		moon_state_drop(machine, request->state);
	else
		give_back(&d);
	for (size_t i = 0; i < d.stream_count; i++)
		moon_state_drop(machine, d.streams[i].state);
	if (d.handles != LUA_NOREF)
		luaL_unref(machine->vm->L, LUA_REGISTRYINDEX, d.handles);
	return result;
}
