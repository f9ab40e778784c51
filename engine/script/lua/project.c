/* SPDX-License-Identifier: MIT */
/*
 * Promises: a projection's handlers get the entries that they handle, in order, one protected call a batch;
 * the count of entries done is exact, so that the one at fault can be named, retried or skipped alone; the pieces of an
 * entry are done together or not at all [I6].
 */
#include <lauxlib.h>

#include "script/lua/guard.h"
#include "script/lua/machine.h"

struct project_call {
	struct moon_machine *machine;
	uint16_t projection;
	const struct recorded_entry *entries;
	size_t count;
	size_t *done;
	struct moon_guard *guard; /* NULL: rows are not bound to streams */
};

int
moon_entry_aggregate(const struct moon_program *program, const struct recorded_entry *entry)
{
	struct slice rest = entry->stream, domain = program->door.domain;
	if (entry->kind != ENTRY_EVENT || rest.size <= domain.size || rest.data[domain.size] != '.' ||
	    memcmp(rest.data, domain.data, domain.size) != 0)
		return -1;
	rest = slice_from(rest.data + domain.size + 1, rest.size - domain.size - 1);
	const char *slash = memchr(rest.data, '/', rest.size);
	if (slash == NULL)
		return -1;
	return script_find_aggregate(&program->door, slice_from(rest.data, (size_t)(slash - rest.data)));
}

bool
moon_entry_matters(const struct moon_program *program, uint16_t aggregate, const struct recorded_entry *entry,
		   const uint32_t *handlers)
{
	const struct script_aggregate *door = &program->door.aggregates[aggregate];
	int event = moon_type_find(program, aggregate, entry->type);
	if (event < 0)
		return false;
	bool newest = (size_t)event < door->event_count && entry->schema_version == door->events[event].version;
	return !newest || handlers[event] != 0;
}

static void
project_piece(lua_State *L, struct project_call *call, uint16_t aggregate, const struct moon_pieces *pieces,
	      unsigned piece)
{
	struct moon_machine *machine = call->machine;
	int opened = lua_gettop(L);
	uint16_t event = moon_piece_push(L, machine, aggregate, pieces, piece, opened);
	uint32_t handler = machine->program->projections[call->projection].handlers[aggregate][event];
	if (handler != 0) {
		moon_push_handler(L, machine, handler);
		lua_rawgeti(L, LUA_REGISTRYINDEX, machine->views[call->projection]);
		lua_pushvalue(L, opened + 1);
		lua_rawgeti(L, LUA_REGISTRYINDEX, machine->meta_object);
		lua_call(L, 3, 0);
		if (machine->hard.class != FAULT_NONE)
			moon_fail_fault(L, &machine->hard);
	}
	lua_settop(L, opened);
}

static void
project_entry(lua_State *L, struct project_call *call, const struct recorded_entry *entry)
{
	struct moon_machine *machine = call->machine;
	const struct moon_program *program = machine->program;
	const uint32_t *const *handlers = program->projections[call->projection].handlers;
	int aggregate = moon_entry_aggregate(program, entry);
	if (aggregate < 0 || handlers[aggregate] == NULL)
		return;
	if (!moon_entry_matters(program, (uint16_t)aggregate, entry, handlers[aggregate]))
		return;
	if (call->guard != NULL)
		moon_guard_stream(call->guard, entry->stream);
	struct moon_pieces pieces;
	moon_pieces_open(L, machine, (uint16_t)aggregate, entry, &pieces);
	int opened = lua_gettop(L);
	for (unsigned i = 0; i < pieces.count; i++)
		project_piece(L, call, (uint16_t)aggregate, &pieces, i);
	lua_settop(L, opened - 1);
}

static int
project_body(lua_State *L)
{
	struct project_call *call = vm_request(L);
	luaL_checkstack(L, 16, NULL);
	for (size_t i = 0; i < call->count; i++) {
		project_entry(L, call, &call->entries[i]);
		*call->done = i + 1;
	}
	return 0;
}

/* A batch on machine->rows. */
static int
run(struct moon_machine *machine, lua_CFunction body, void *call, struct fault *fault)
{
	machine->rows_writable = true;
	machine->hard.class = FAULT_NONE;
	int result = moon_protect(machine, body, call, fault);
	machine->rows = NULL;
	machine->meta.active = false;
	arena_clear(&machine->arena);
	if (result == 0 || fault == NULL)
		return result;
	const struct vm_trouble *trouble = &machine->vm->trouble;
	bool hard = machine->hard.class != FAULT_NONE;
	if (hard)
		*fault = machine->hard;
	if ((hard ? fault->class == FAULT_SCRIPT : fault->class == FAULT_INPUT) && trouble->file[0] != '\0')
		fault_prefix(fault, "%s:%d", trouble->file, trouble->line);
	return -1;
}

int
moon_project(struct script_machine *door, uint16_t projection, const struct row_port *rows,
	     const struct recorded_entry *entries, size_t count, size_t *done, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct project_call call = { machine, projection, entries, count, done, NULL };
	struct moon_guard guard;
	moon_guard_init(&guard, rows);
	if (machine->program->door.projections[projection].by_stream)
		call.guard = &guard;
	machine->rows = call.guard != NULL ? &guard.port : rows;
	int result = run(machine, project_body, &call, fault);
	moon_guard_fini(&guard);
	return result;
}

/* ---- messages ---- */

struct message_call {
	struct moon_machine *machine;
	uint16_t projection;
	const struct react_message *messages;
	size_t count;
	size_t *done;
};

static void
project_message(lua_State *L, struct message_call *call, const struct react_message *message)
{
	struct moon_machine *machine = call->machine;
	const struct script_projection *door = &machine->program->door.projections[call->projection];
	int number = script_message_heard(door->messages, door->message_count, message->type);
	struct fault fault;
	if (number < 0)
		return;
	machine->meta = (struct moon_meta){ .active = true, .type = message->type, .message = message };
	moon_push_handler(L, machine, machine->program->projections[call->projection].messages[number]);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->views[call->projection]);
	if (json_read(L, message->data.size > 0 ? message->data : SLICE("{}"), NULL, &fault) != 0)
		moon_fail_fault(L, &fault);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->meta_object);
	lua_call(L, 3, 0);
	if (machine->hard.class != FAULT_NONE)
		moon_fail_fault(L, &machine->hard);
}

static int
messages_body(lua_State *L)
{
	struct message_call *call = vm_request(L);
	luaL_checkstack(L, 16, NULL);
	for (size_t i = 0; i < call->count; i++) {
		project_message(L, call, &call->messages[i]);
		*call->done = i + 1;
	}
	return 0;
}

int
moon_project_messages(struct script_machine *door, uint16_t projection, const struct row_port *rows,
		      const struct react_message *messages, size_t count, size_t *done, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct message_call call = { machine, projection, messages, count, done };
	machine->rows = rows;
	return run(machine, messages_body, &call, fault);
}
