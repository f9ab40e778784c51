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
add_stream(lua_State *L, struct deciding *d, uint16_t aggregate, struct slice id)
{
	const struct script_program *program = &d->machine->program->door;
	if (d->stream_count == DECISION_STREAMS_MAX)
		luaL_error(L, "a decision reads more than %d streams", DECISION_STREAMS_MAX);
	struct slice word = program->aggregates[aggregate].name;
	struct slice name = stream_name(L, d, word, id);
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
	d->out->expected = lift.expected;
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
	if (machine->hard.class != FAULT_NONE)
		moon_fail_fault(L, &machine->hard); /* the handler caught it, and decided without knowing */
	bool refused = lua_isnil(L, AT_EVENTS);
	if (refused && lua_isnil(L, AT_REPLY))
		moon_fail(L, rule->handle, FAULT_SCRIPT, "bad_result",
			  "the handler returns nothing; it must return a list of events ({} for none), or nil and a "
			  "refusal");
	if (!refused)
		moon_take_events(L, d);
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
	struct deciding d = {
		.machine = machine, .request = request, .arena = arena, .out = decided, .handles = LUA_NOREF
	};
	machine->hard.class = FAULT_NONE;
	moon_ctx_begin(machine, &request->context);
	int result = moon_protect(machine, decide_body, &d, fault);
	if (result != 0 && machine->hard.class != FAULT_NONE && fault != NULL)
		*fault = machine->hard;
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
