/* SPDX-License-Identifier: MIT */
/*
 * Promises: recorded events become a state through the authors' `apply`, in order, each from the bytes that
 * the log holds, brought up to its newest version first. An event that the rules do not know stops the fold by
 * name; none is skipped [I7].
 *
 * Recorded data is not checked against its schema again: it was when it was decided, and its digest says that
 * it did not change since.
 */
#include <lauxlib.h>

#include "script/lua/machine.h"

int
moon_event_find(const struct moon_program *program, uint16_t aggregate, struct slice type)
{
	const struct moon_aggregate *rules = &program->aggregates[aggregate];
	const struct script_aggregate *door = &program->door.aggregates[aggregate];
	for (uint32_t at = (uint32_t)slice_hash(type, 0) & rules->slot_mask;; at = (at + 1) & rules->slot_mask) {
		uint16_t slot = rules->slots[at];
		if (slot == 0)
			return -1;
		if (slice_equal(door->events[slot - 1].name, type))
			return slot - 1;
	}
}

struct moon_meta
moon_meta_recorded(const struct recorded_entry *entry)
{
	return (struct moon_meta){
		.active = true,
		.type = entry->type,
		.stream = entry->stream,
		.version = entry->version,
		.position = entry->position,
		.time_us = entry->recorded_at_us,
		.id = &entry->id,
	};
}

void
moon_upcast(lua_State *L, struct moon_machine *machine, uint16_t aggregate, uint16_t event, uint32_t version)
{
	const struct moon_program *program = machine->program;
	const struct script_aggregate *door = &program->door.aggregates[aggregate];
	const struct moon_event *rule = &program->aggregates[aggregate].events[event];
	uint32_t newest = door->events[event].version;
	if (version == 0)
		version = 1;
	if (version > newest)
		moon_fail(L, rule->apply, FAULT_SCRIPT, "newer_event",
			  "%s was recorded in version %u, the rules know it up to version %u",
			  door->events[event].name.data, version, newest);
	for (; version < newest; version++) {
		uint32_t step = rule->upcast != NULL ? rule->upcast[version] : 0;
		if (step == 0)
			moon_fail(L, rule->apply, FAULT_SCRIPT, "no_upcast_path",
				  "%s has no upcast[%u], and an event of version %u is recorded",
				  door->events[event].name.data, version, version);
		moon_push_handler(L, machine, step);
		lua_insert(L, -2);
		lua_call(L, 1, 1);
		if (lua_type(L, -1) != LUA_TTABLE)
			moon_fail(L, step, FAULT_SCRIPT, "bad_result", "upcast[%u] of %s gives a %s, not the data",
				  version, door->events[event].name.data, luaL_typename(L, -1));
	}
}

void
moon_event_data(lua_State *L, struct moon_machine *machine, uint16_t aggregate, uint16_t event,
		const struct recorded_entry *entry)
{
	struct fault fault;
	if (json_read(L, entry->data, NULL, &fault) != 0) {
		fault.class = FAULT_CORRUPT;
		fault_prefix(&fault, "data of %.*s, version %llu", SLICE_ARG(entry->stream),
			     (unsigned long long)entry->version);
		moon_fail_fault(L, &fault);
	}
	if (entry->schema_version != machine->program->door.aggregates[aggregate].events[event].version)
		moon_upcast(L, machine, aggregate, event, entry->schema_version);
}

void
moon_apply(lua_State *L, struct moon_machine *machine, uint16_t aggregate, uint16_t event)
{
	uint32_t handler = machine->program->aggregates[aggregate].events[event].apply;
	moon_push_handler(L, machine, handler);
	lua_insert(L, -3);
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->meta_object);
	lua_call(L, 3, 1);
	if (lua_type(L, -1) != LUA_TTABLE)
		moon_fail(L, handler, FAULT_SCRIPT, "bad_result", "apply of %s gives %s; it must return the state",
			  machine->program->door.aggregates[aggregate].events[event].name.data,
			  lua_isnil(L, -1) ? "nothing" : luaL_typename(L, -1));
}

struct fold_call {
	struct moon_machine *machine;
	uint16_t aggregate;
	script_state state;
	const struct recorded_entry *entries;
	size_t count;
	size_t *folded;
};

static int
fold_body(lua_State *L)
{
	struct fold_call *call = vm_request(L);
	struct moon_machine *machine = call->machine;
	luaL_checkstack(L, 16, NULL);
	moon_state_push(L, machine, call->state);
	for (size_t i = 0; i < call->count; i++) {
		const struct recorded_entry *entry = &call->entries[i];
		if (entry->kind == ENTRY_EVENT) {
			int event = moon_event_find(machine->program, call->aggregate, entry->type);
			if (event < 0)
				moon_fail(L, 0, FAULT_SCRIPT, "unknown_event",
					  "%.*s, version %llu: the rules know no event %.*s", SLICE_ARG(entry->stream),
					  (unsigned long long)entry->version, SLICE_ARG(entry->type));
			machine->meta = moon_meta_recorded(entry);
			moon_event_data(L, machine, call->aggregate, (uint16_t)event, entry);
			moon_apply(L, machine, call->aggregate, (uint16_t)event);
		}
		*call->folded = i + 1;
	}
	moon_state_set(L, machine, call->state);
	return 0;
}

int
moon_fold(struct script_machine *door, uint16_t aggregate, script_state state, const struct recorded_entry *entries,
	  size_t count, size_t *folded, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct fold_call call = { machine, aggregate, state, entries, count, folded };
	struct moon_meta outer = machine->meta; /* a decision may be waiting for this fold */
	int result = moon_protect(machine, fold_body, &call, fault);
	machine->meta = outer;
	if (result != 0 && fault != NULL && *folded < count && fault->class == FAULT_SCRIPT)
		fault_prefix(fault, "%.*s version %llu", SLICE_ARG(entries[*folded].stream),
			     (unsigned long long)entries[*folded].version);
	return result;
}
