/* SPDX-License-Identifier: MIT */
/*
 * Promises: a projection's handlers get the entries that they handle, in order, one protected call a batch;
 * the count of entries done is exact, so that the one at fault can be named, retried or skipped alone [I6].
 */
#include <lauxlib.h>

#include "script/lua/machine.h"

struct project_call {
	struct moon_machine *machine;
	uint16_t projection;
	const struct recorded_entry *entries;
	size_t count;
	size_t *done;
};

/* The aggregate of an entry of this domain; -1 for any other. */
static int
entry_aggregate(const struct moon_program *program, const struct recorded_entry *entry)
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

static void
project_entry(lua_State *L, struct project_call *call, const struct recorded_entry *entry)
{
	struct moon_machine *machine = call->machine;
	const struct moon_program *program = machine->program;
	const uint32_t *const *handlers = program->projections[call->projection].handlers;
	int aggregate = entry_aggregate(program, entry);
	if (aggregate < 0 || handlers[aggregate] == NULL)
		return;
	int event = moon_event_find(program, (uint16_t)aggregate, entry->type);
	uint32_t handler = event >= 0 ? handlers[aggregate][event] : 0;
	if (handler == 0)
		return;
	moon_push_handler(L, machine, handler);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->views[call->projection]);
	machine->meta = moon_meta_recorded(entry);
	moon_event_data(L, machine, (uint16_t)aggregate, (uint16_t)event, entry);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->meta_object);
	lua_call(L, 3, 0);
	if (machine->hard.class != FAULT_NONE)
		moon_fail_fault(L, &machine->hard);
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

int
moon_project(struct script_machine *door, uint16_t projection, const struct row_port *rows,
	     const struct recorded_entry *entries, size_t count, size_t *done, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct project_call call = { machine, projection, entries, count, done };
	machine->rows = rows;
	machine->rows_writable = true;
	machine->hard.class = FAULT_NONE;
	int result = moon_protect(machine, project_body, &call, fault);
	machine->rows = NULL;
	machine->meta.active = false;
	arena_clear(&machine->arena);
	if (result == 0 || fault == NULL)
		return result;
	const struct vm_trouble *trouble = &machine->vm->trouble;
	if (machine->hard.class != FAULT_NONE)
		*fault = machine->hard;
	else if (fault->class == FAULT_INPUT && trouble->file[0] != '\0')
		fault_prefix(fault, "%s:%d", trouble->file, trouble->line);
	return -1;
}
