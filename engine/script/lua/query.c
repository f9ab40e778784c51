/* SPDX-License-Identifier: MIT */
/*
 * Promises: what readers ask of rules - queries over the views, states through a route's `reply` - is answered in one
 * protected call each, checked and encoded inside it. Nothing here changes a row or a state: what a `reply` gets is a
 * copy.
 */
#include <lauxlib.h>

#include "script/lua/machine.h"

struct answer_call {
	struct moon_machine *machine;
	const struct query_request *query;
	const struct show_request *show;
	struct buf *out;
};

/* results at `first` and after: an answer, or nil and a refusal, which is raised. */
static void
check_refused(lua_State *L, int first, uint32_t handler)
{
	struct moon_refusal refusal;
	struct fault fault;
	if (!lua_isnil(L, first) || lua_isnil(L, first + 1))
		return;
	moon_refusal_read(L, first + 1, handler, &refusal, NULL);
	fault_set(&fault, FAULT_INPUT, refusal.code.data, "%.*s",
		  SLICE_ARG(refusal.message.size > 0 ? refusal.message : refusal.code));
	fault.native = refusal.status;
	moon_fail_fault(L, &fault);
}

static int
query_body(lua_State *L)
{
	struct answer_call *call = vm_request(L);
	struct moon_machine *machine = call->machine;
	const struct query_request *request = call->query;
	const struct moon_query *rule = &machine->program->queries[request->query];
	const struct schema_context context = {
		.mode = SCHEMA_WIRE,
		.currency = machine->program->currency,
		.params = request->params,
		.param_count = request->param_count,
		.params_known = true,
	};
	luaL_checkstack(L, 16, NULL);
	moon_push_handler(L, machine, rule->run);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->views[machine->program->door.projection_count]);
	if (schema_read(L, rule->params, request->body, &context, &machine->input) != 0)
		moon_fail_input(L, &machine->input);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->ctx_object);
	lua_call(L, 3, 2);
	if (machine->hard.class != FAULT_NONE)
		moon_fail_fault(L, &machine->hard);
	check_refused(L, lua_gettop(L) - 1, rule->run);
	if (lua_isnil(L, -2))
		moon_fail(L, rule->run, FAULT_SCRIPT, "bad_result", "the query returns nothing");
	const struct script_route *route = request->route;
	const struct schema *schema = rule->returns;
	if (route != NULL && machine->program->routes[route - machine->program->door.routes].returns != NULL)
		schema = machine->program->routes[route - machine->program->door.routes].returns;
	moon_answer_write(L, lua_gettop(L) - 1, schema, rule->run, call->out);
	return 0;
}

/* Runs `body`; `out` is as before when it fails. */
static int
answer(struct answer_call *call, const struct script_context *context, lua_CFunction body, struct fault *fault)
{
	struct moon_machine *machine = call->machine;
	size_t size = call->out->size;
	machine->hard.class = FAULT_NONE;
	if (context != NULL)
		moon_ctx_begin(machine, context);
	int result = moon_protect(machine, body, call, fault);
	moon_ctx_end(machine);
	machine->rows = NULL;
	arena_clear(&machine->arena);
	if (result == 0)
		return 0;
	call->out->size = size;
	call->out->failed = false;
	if (machine->hard.class != FAULT_NONE && fault != NULL)
		*fault = machine->hard;
	return -1;
}

int
moon_query(struct script_machine *door, const struct query_request *request, struct buf *out, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct answer_call call = { .machine = machine, .query = request, .out = out };
	machine->rows = request->rows;
	machine->rows_writable = false;
	return answer(&call, &request->context, query_body, fault);
}

static int
show_body(lua_State *L)
{
	struct answer_call *call = vm_request(L);
	struct moon_machine *machine = call->machine;
	const struct show_request *request = call->show;
	const struct script_program *program = &machine->program->door;
	luaL_checkstack(L, 16, NULL);
	moon_state_push(L, machine, request->state);
	const struct moon_route *shape =
		request->route != NULL ? &machine->program->routes[request->route - program->routes] : NULL;
	if (shape == NULL || (shape->reply == 0 && shape->returns == NULL)) {
		moon_answer_write(L, -1, NULL, 0, call->out);
		return 0;
	}
	if (shape->reply != 0) {
		char name[STREAM_NAME_MAX + 1];
		int size = snprintf(name, sizeof name, "%.*s.%.*s/%.*s", SLICE_ARG(program->domain),
				    SLICE_ARG(program->aggregates[request->aggregate].name), SLICE_ARG(request->id));
		moon_push_handler(L, machine, shape->reply);
		moon_state_copy(L, -2);
		moon_reply_meta(L, slice_from(name, (size_t)size), request->id, request->version, 0);
		lua_call(L, 2, 2);
		check_refused(L, lua_gettop(L) - 1, shape->reply);
		lua_pop(L, 1);
	}
	moon_answer_write(L, -1, shape->returns, shape->reply, call->out);
	return 0;
}

int
moon_show(struct script_machine *door, const struct show_request *request, struct buf *out, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct answer_call call = { .machine = machine, .show = request, .out = out };
	return answer(&call, &request->context, show_body, fault);
}
