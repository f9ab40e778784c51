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

#include "script/lua/decide.h"

struct arena *
moon_decision_arena(const struct deciding *decision)
{
	return decision->arena;
}

bool
moon_decision_commands(const struct deciding *decision)
{
	return decision->in_command;
}

/* ---- what the decision reads ---- */

/* "domain.aggregate/id" in the decision's arena: no format is interpreted, each decision passes here. */
static struct slice
stream_name(lua_State *L, struct deciding *d, struct slice aggregate, struct slice id)
{
	struct slice domain = d->machine->program->door.domain;
	size_t size = domain.size + aggregate.size + id.size + 2;
	char *text = arena_alloc(d->arena, size + 1), *at = text;
	if (text == NULL)
		moon_fail(L, 0, FAULT_MEMORY, "memory", "no memory for the name of a stream");
	at = mempcpy(at, domain.data, domain.size);
	*at++ = '.';
	at = mempcpy(at, aggregate.data, aggregate.size);
	*at++ = '/';
	at = mempcpy(at, id.data, id.size);
	*at = '\0';
	return slice_from(text, size);
}

static struct touched_stream *
add_stream(lua_State *L, struct deciding *d, struct slice word, struct slice id)
{
	if (d->stream_count == DECISION_STREAMS_MAX)
		moon_fail(L, moon_decision_place(d), FAULT_SCRIPT, "bad_result",
			  "a decision reads more than %d streams", DECISION_STREAMS_MAX);
	struct slice name = stream_name(L, d, word, id);
	struct touched_stream *stream = &d->streams[d->stream_count];
	*stream = (struct touched_stream){ .aggregate = STREAM_OF_NO_STATE, .name = name };
	stream->id = slice_from(name.data + name.size - id.size, id.size);
	d->stream_count++;
	return stream;
}

static struct touched_stream *
add_state(lua_State *L, struct deciding *d, uint16_t aggregate, struct slice id)
{
	struct touched_stream *stream = add_stream(L, d, d->machine->program->door.aggregates[aggregate].name, id);
	stream->aggregate = aggregate;
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
	d->out->expected = lift.expected;
}

/* Pushes the state for the handler; the copy stays in the stream's slot. */
static void
open_state(lua_State *L, struct deciding *d, struct touched_stream *stream, script_state given)
{
	if (given != 0) {
		moon_state_push(L, d->machine, given);
	} else {
		moon_state_initial(L, d->machine, stream->aggregate);
		moon_state_copy(L, -1); /* `initial` may give the same table each time */
		lua_remove(L, -2);
	}
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
	lua_pushboolean(L, moon_stream_exists(stream));
	lua_setfield(L, -2, "exists");
	lua_pushinteger(L, (lua_Integer)(stream->version + stream->events));
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
	const struct script_loader *loader = d->loader;
	struct fault fault;
	script_state given = 0;
	stream_version version = 0;
	struct touched_stream *stream = add_state(L, d, aggregate, id);
	if (loader->load == NULL)
		luaL_error(L, "ctx:load: other streams cannot be read here");
	if (loader->load(loader->self, aggregate, stream->id, &given, &version, &fault) != 0) {
		d->machine->hard = fault;
		moon_fail_fault(L, &fault);
	}
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

static uint32_t
find_stream(const struct deciding *d, uint16_t aggregate, struct slice id)
{
	uint32_t number = 0;
	while (number < d->stream_count &&
	       (d->streams[number].aggregate != aggregate || !slice_equal(d->streams[number].id, id)))
		number++;
	return number;
}

uint32_t
moon_stream_use(lua_State *L, struct deciding *d, uint16_t aggregate, struct slice id)
{
	uint32_t number = find_stream(d, aggregate, id);
	if (number == d->stream_count) {
		load_stream(L, d, aggregate, id);
		return number;
	}
	moon_state_push(L, d->machine, d->streams[number].state);
	moon_state_copy(L, -1);
	lua_remove(L, -2);
	return number;
}

uint32_t
moon_stream_plain(lua_State *L, struct deciding *d, struct slice word, struct slice id)
{
	uint32_t number = find_stream(d, STREAM_OF_NO_STATE, id);
	if (number == d->stream_count)
		add_stream(L, d, word, id);
	return number;
}

static void
drop_handles(lua_State *L, struct deciding *d)
{
	if (d->handles != LUA_NOREF)
		luaL_unref(L, LUA_REGISTRYINDEX, d->handles);
	d->handles = LUA_NOREF;
}

void
moon_decision_load(lua_State *L, struct deciding *d, uint16_t aggregate, struct slice id)
{
	luaL_checkstack(L, 12, NULL);
	if (d->handles == LUA_NOREF) {
		lua_newtable(L);
		d->handles = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, d->handles);
	if (lua_rawgeti(L, -1, (lua_Integer)find_stream(d, aggregate, id) + 1) == LUA_TTABLE)
		return;
	lua_pop(L, 2);
	uint32_t number = moon_stream_use(L, d, aggregate, id); /* the command's own too: a second table of its state */
	push_handle(L, d, number);
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
take_reply(lua_State *L, struct deciding *d, int index, const struct moon_command *rule)
{
	struct moon_machine *machine = d->machine;
	const struct script_route *route = d->request->route;
	const struct moon_route *shape =
		route != NULL ? &machine->program->routes[route - machine->program->door.routes] : NULL;
	const struct schema *schema = shape != NULL && shape->returns != NULL ? shape->returns : rule->reply;
	uint32_t handler = d->handler;
	d->out->decision = DECISION_ACCEPTED;
	d->out->status = route != NULL ? route->status : 200;
	if (!lua_isnil(L, index) && lua_type(L, index) != LUA_TTABLE)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "the reply is a %s, not a table",
			  luaL_typename(L, index));
	lua_pushvalue(L, index);
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
		moon_reply_meta(L, d->streams[0].name, d->streams[0].id, d->streams[0].version + d->streams[0].events,
				0);
		lua_call(L, 2, 1);
	}
	if (lua_isnil(L, -1))
		return;
	buf_clear(&machine->scratch);
	moon_answer_write(L, -1, schema, handler, &machine->scratch);
	if (machine->scratch.size > MACHINE_RESULT_BYTES)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "a reply of more than %zu bytes",
			  MACHINE_RESULT_BYTES);
	d->out->reply = moon_keep(L, d->arena, buf_slice(&machine->scratch));
}

/* ---- a command ---- */

static void
call_handler(lua_State *L, struct deciding *d, const struct moon_command *rule)
{
	struct moon_machine *machine = d->machine;
	const struct touched_stream *own = &d->streams[d->own];
	machine->ctx.id = own->id;
	machine->ctx.stream = own->name;
	machine->ctx.version = own->version + own->events;
	machine->ctx.decision = d;
	d->in_command = true;
	moon_push_handler(L, machine, rule->handle);
	lua_insert(L, -3);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->ctx_object);
	lua_call(L, 3, 3);
	d->in_command = false;
	machine->ctx.decision = NULL;
	if (machine->hard.class != FAULT_NONE)
		moon_fail_fault(L, &machine->hard); /* the handler caught it, and decided without knowing */
}

void
moon_command_run(lua_State *L, struct deciding *d, const struct moon_command *rule, uint32_t stream)
{
	int events = lua_gettop(L) - 1;
	size_t timers = d->timer_count, reservations = d->reservation_count;
	drop_handles(L, d); /* what they show is of the command before */
	d->handler = rule->handle;
	d->own = stream;
	call_handler(L, d, rule);
	if (lua_isnil(L, events)) {
		if (lua_isnil(L, events + 1))
			moon_fail(L, rule->handle, FAULT_SCRIPT, "bad_result",
				  "the handler returns nothing; it must return a list of events ({} for none), or nil "
				  "and a refusal");
		d->timer_count = timers;
		d->reservation_count = reservations;
		return;
	}
	if (d->machine->program->door.aggregates[d->streams[stream].aggregate].document)
		moon_take_document(L, d, events);
	else
		moon_take_events(L, d, events);
	moon_timers_take(L, d, timers);
}

/* Stack indexes while a command is decided. */
enum { AT_EVENTS = 2, AT_REPLY, AT_REFUSAL };

static int
decide_body(lua_State *L)
{
	struct deciding *d = vm_request(L);
	const struct decide_request *request = d->request;
	const struct moon_command *rule =
		&d->machine->program->aggregates[request->aggregate].commands[request->command];
	luaL_checkstack(L, 30, NULL);
	lua_settop(L, 1);
	d->handler = rule->handle;
	read_input(L, d, rule);
	struct touched_stream *own = add_state(L, d, request->aggregate, request->id);
	own->version = request->version;
	open_state(L, d, own, request->state);
	lua_insert(L, -2);
	moon_command_run(L, d, rule, 0);
	bool refused = lua_isnil(L, AT_EVENTS);
	if (refused || !lua_isnil(L, AT_REFUSAL))
		take_refusal(L, d, refused ? AT_REPLY : AT_REFUSAL);
	else
		take_reply(L, d, AT_REPLY, rule);
	return 0;
}

/* ---- the door ---- */

int
moon_decision_give(struct deciding *d, bool all, struct fault *fault)
{
	struct decided_stream *streams = arena_zero(d->arena, d->stream_count + 1, sizeof *streams);
	if (streams == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a decision's streams");
	for (size_t i = 0; i < d->stream_count; i++) {
		struct touched_stream *from = &d->streams[i];
		streams[i] = (struct decided_stream){ .name = from->name,
						      .version = from->version,
						      .written = from->written,
						      .event_count = from->events,
						      .meta_touched = from->meta_touched };
		if (all || from->written) {
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
	d->out->timers = d->timers;
	d->out->timer_count = d->timer_count;
	return 0;
}

void
moon_decision_end(struct deciding *d)
{
	for (size_t i = 0; i < d->stream_count; i++)
		moon_state_drop(d->machine, d->streams[i].state);
	drop_handles(d->machine->vm->L, d);
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
	struct deciding d = { .machine = machine,
			      .request = request,
			      .context = &request->context,
			      .loader = &request->loader,
			      .arena = arena,
			      .out = decided,
			      .handles = LUA_NOREF };
	machine->hard.class = FAULT_NONE;
	moon_ctx_begin(machine, &request->context);
	int result = moon_protect(machine, decide_body, &d, fault);
	if (result != 0 && machine->hard.class != FAULT_NONE && fault != NULL)
		*fault = machine->hard;
	moon_ctx_end(machine);
	machine->meta.active = false;
	if (result == 0)
		result = moon_decision_give(&d, true, fault);
	if (result == 0)
		moon_state_drop(machine, request->state);
	else
		give_back(&d);
	moon_decision_end(&d);
	return result;
}
