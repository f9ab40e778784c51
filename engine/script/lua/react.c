/* SPDX-License-Identifier: MIT */
/*
 * Promises: what a reactor, a process or a timer makes of what it hears is one protected call and one decision: its
 * commands are decided at once, each on the state after those before it, so that core records all of it in one append
 * with its own place [I6]. The same message under the same seed and states gives the same decision.
 *
 * A recorded event of the domain passes its upcasters; each piece is heard by itself, in order. A process is found by
 * its correlation: the id of its stream. What the engine keeps of it (completed, compensations) lies in the field
 * MOON_PROCESS of its state, out of sight of handlers and `apply`, and comes from the engine's own events.
 *
 * How it fails: as a decision; a handler that wants to be called later fails with SCRIPT "retry". Nothing of a failed
 * reaction is left.
 */
#include <lauxlib.h>

#include "script/lua/react.h"

void
moon_react_face(struct reacting *r)
{
	struct moon_machine *machine = r->d.machine;
	const struct touched_stream *own = r->process >= 0 ? &r->d.streams[r->own] : NULL;
	machine->meta = r->meta;
	machine->ctx.id = own != NULL ? own->id : SLICE_NONE;
	machine->ctx.stream = own != NULL ? own->name : SLICE_NONE;
	machine->ctx.version = own != NULL ? own->version + own->events : 0;
	machine->ctx.decision = &r->d;
	r->d.handler = r->handler;
	r->d.own = r->own;
}

/* ---- whose process ---- */

static struct slice
take_correlation(lua_State *L, struct reacting *r, const struct moon_heard *heard)
{
	struct slice id = SLICE_NONE;
	if (lua_type(L, -1) == LUA_TSTRING || lua_isinteger(L, -1))
		id.data = lua_tolstring(L, -1, &id.size);
	if (!stream_id_ok(id)) {
		const char *what = heard->correlate != 0 ? "what it gives" : heard->field.data;
		moon_fail(
			L, heard->correlate != 0 ? heard->correlate : heard->handle, FAULT_SCRIPT, "no_correlation",
			"correlate: %s is no id of a process: a text of 1 to %d letters, digits and . _ ~ : @ -, or a "
			"whole number",
			what, STREAM_ID_MAX);
	}
	id = moon_keep(L, r->d.arena, id);
	lua_pop(L, 1);
	return id;
}

/* The data on top, which stays. */
static struct slice
correlate(lua_State *L, struct reacting *r, const struct moon_heard *heard)
{
	struct moon_machine *machine = r->d.machine;
	if (heard->correlate != 0) {
		moon_push_handler(L, machine, heard->correlate);
		lua_pushvalue(L, -2);
		lua_rawgeti(L, LUA_REGISTRYINDEX, machine->meta_object);
		lua_call(L, 2, 1);
	} else if (heard->of_meta) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, machine->meta_object);
		lua_getfield(L, -1, heard->field.data);
		lua_remove(L, -2);
	} else if (lua_type(L, -1) == LUA_TTABLE) {
		moon_raw_field(L, -1, heard->field.data);
	} else {
		lua_pushnil(L);
	}
	return take_correlation(L, r, heard);
}

/* Pushes the state of the process for a handler. false: completed, nothing pushed. */
static bool
open_process(lua_State *L, struct reacting *r, struct slice id)
{
	bool completed = false;
	r->own = moon_stream_use(L, &r->d, (uint16_t)r->process, id);
	if (moon_raw_field(L, -1, MOON_PROCESS) == LUA_TTABLE) {
		moon_raw_field(L, -1, "completed");
		completed = lua_toboolean(L, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	lua_pushstring(L, MOON_PROCESS);
	lua_pushnil(L);
	lua_rawset(L, -3);
	if (completed)
		lua_pop(L, 1);
	return !completed;
}

/* ---- handlers ---- */

/* Does the list at `index` hold an action of this kind? */
static bool
wants_event(lua_State *L, int index)
{
	bool found = false;
	if (lua_type(L, index) != LUA_TTABLE)
		return false;
	lua_Integer count = (lua_Integer)lua_rawlen(L, index);
	for (lua_Integer i = 1; i <= count && !found; i++) {
		if (lua_rawgeti(L, index, i) == LUA_TTABLE) {
			found = moon_raw_field(L, -1, "event") != LUA_TNIL;
			lua_pop(L, 1);
		}
		lua_pop(L, 1);
	}
	return found;
}

/*
 * The handler's first arguments on top, popped: (state,) data. Does what it wants; a process that does anything is
 * there from then on.
 */
static void
call_handler(lua_State *L, struct reacting *r, uint32_t handler, struct slice by)
{
	struct moon_machine *machine = r->d.machine;
	int count = r->process >= 0 ? 2 : 1, first = lua_gettop(L) - count + 1;
	r->handler = handler;
	moon_react_face(r);
	moon_push_handler(L, machine, handler);
	lua_insert(L, first);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->meta_object);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->ctx_object);
	lua_call(L, count + 2, 2);
	if (machine->hard.class != FAULT_NONE)
		moon_fail_fault(L, &machine->hard);
	bool acts = lua_type(L, first) == LUA_TTABLE && lua_rawlen(L, first) > 0;
	if (r->process >= 0 && acts && !moon_stream_exists(&r->d.streams[r->own]) && !wants_event(L, first)) {
		lua_createtable(L, 0, 1);
		lua_pushlstring(L, by.data, by.size);
		lua_setfield(L, -2, "by");
		moon_react_own(L, r, OWN_STARTED);
	}
	moon_react_take(L, r, first);
	lua_settop(L, first - 1);
}

/* The data on top, popped; meta is that of what was heard. */
static void
hear(lua_State *L, struct reacting *r, const struct moon_heard *heard, struct slice type)
{
	int data = lua_gettop(L);
	r->meta = r->d.machine->meta;
	if (r->process < 0) {
		call_handler(L, r, heard->handle, type);
		return;
	}
	bool open = open_process(L, r, correlate(L, r, heard));
	if (open && (heard->starts || moon_stream_exists(&r->d.streams[r->own]))) {
		lua_insert(L, data);
		call_handler(L, r, heard->handle, type);
	}
	lua_settop(L, data - 1);
}

/* ---- what is heard ---- */

/* Pushes the message's data: as its schema says, else as it is. */
static void
push_data(lua_State *L, struct reacting *r, const struct moon_heard *heard, const struct react_message *message)
{
	struct moon_machine *machine = r->d.machine;
	const struct schema_context context = { .mode = SCHEMA_WIRE,
						.currency = machine->program->currency,
						.tolerant = true };
	struct slice bytes = message->data.size > 0 ? message->data : SLICE("{}");
	struct fault fault;
	if (heard->data != NULL) {
		if (schema_read(L, heard->data, bytes, &context, &machine->input) != 0)
			moon_fail_input(L, &machine->input);
	} else if (json_read(L, bytes, NULL, &fault) != 0) {
		moon_fail_fault(L, &fault);
	}
}

static void
hear_message(lua_State *L, struct reacting *r)
{
	struct moon_machine *machine = r->d.machine;
	const struct react_message *message = r->request->message;
	const struct script_reactor *door = &machine->program->door.reactors[r->request->reactor];
	int number = script_message_heard(door->messages, door->message_count, message->type);
	if (number < 0)
		return;
	const struct moon_heard *heard = &r->reactor->messages[number];
	machine->meta = (struct moon_meta){ .active = true, .type = message->type, .message = message };
	push_data(L, r, heard, message);
	hear(L, r, heard, message->type);
}

static void
hear_event(lua_State *L, struct reacting *r)
{
	struct moon_machine *machine = r->d.machine;
	const struct recorded_entry *entry = r->request->event;
	struct moon_pieces pieces;
	int aggregate = moon_entry_aggregate(machine->program, entry);
	if (aggregate < 0 || r->reactor->events[aggregate] == NULL ||
	    !moon_entry_matters(machine->program, (uint16_t)aggregate, entry, r->reactor->events[aggregate]))
		return;
	moon_pieces_open(L, machine, (uint16_t)aggregate, entry, &pieces);
	int opened = lua_gettop(L);
	for (unsigned i = 0; i < pieces.count; i++) {
		machine->meta = moon_meta_recorded(entry);
		uint16_t event = moon_piece_push(L, machine, (uint16_t)aggregate, &pieces, i, opened);
		struct slice name = machine->program->door.aggregates[aggregate].events[event].name;
		uint32_t number = r->reactor->events[aggregate][event];
		machine->meta.type = name;
		if (number != 0)
			hear(L, r, &r->reactor->own[number - 1], name);
		lua_settop(L, opened);
	}
}

/* The timer's data, as it was set. */
static void
push_timer_data(lua_State *L, const struct react_request *request)
{
	struct fault fault;
	if (json_read(L, request->data.size > 0 ? request->data : SLICE("{}"), NULL, &fault) != 0)
		moon_fail_fault(L, &fault);
}

static void
hear_timer(lua_State *L, struct reacting *r)
{
	struct moon_machine *machine = r->d.machine;
	const struct react_request *request = r->request;
	const struct moon_timer *timer =
		moon_timer_find(&machine->program->aggregates[request->aggregate], request->timer);
	if (timer == NULL)
		return;
	if (timer->handle == 0) {
		push_timer_data(L, request);
		moon_react_command(L, r, request->aggregate, timer->command, request->id);
		return;
	}
	r->process = request->aggregate;
	if (!open_process(L, r, request->id))
		return;
	const struct touched_stream *own = &r->d.streams[r->own];
	if (moon_stream_exists(own)) {
		r->meta = (struct moon_meta){ .active = true,
					      .type = timer->name,
					      .stream = own->name,
					      .version = own->version,
					      .time_us = r->d.context->now_us };
		push_timer_data(L, request);
		call_handler(L, r, timer->handle, timer->name);
	}
}

/* ---- the door ---- */

static int
react_body(lua_State *L)
{
	struct reacting *r = vm_request(L);
	luaL_checkstack(L, 40, NULL);
	lua_settop(L, 1);
	switch (r->request->cause) {
	case REACT_MESSAGE:
		hear_message(L, r);
		break;
	case REACT_EVENT:
		hear_event(L, r);
		break;
	case REACT_TIMER:
		hear_timer(L, r);
		break;
	}
	return 0;
}

int
moon_react(struct script_machine *door, const struct react_request *request, struct arena *arena,
	   struct decided *decided, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct reacting r = { .d = { .machine = machine,
				     .context = &request->context,
				     .loader = &request->loader,
				     .arena = arena,
				     .out = decided,
				     .handles = LUA_NOREF },
			      .request = request,
			      .process = -1 };
	if (request->cause != REACT_TIMER) {
		r.reactor = &machine->program->reactors[request->reactor];
		r.process = machine->program->door.reactors[request->reactor].aggregate;
	}
	machine->hard.class = FAULT_NONE;
	moon_ctx_begin(machine, &request->context);
	int result = moon_protect(machine, react_body, &r, fault);
	if (result != 0 && machine->hard.class != FAULT_NONE && fault != NULL)
		*fault = machine->hard;
	moon_ctx_end(machine);
	machine->meta.active = false;
	if (result == 0)
		result = moon_decision_give(&r.d, false, fault);
	if (result != 0)
		*decided = (struct decided){ 0 };
	moon_decision_end(&r.d);
	return result;
}
