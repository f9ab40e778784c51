/* SPDX-License-Identifier: MIT */
/*
 * Promises: whoever looks - histories, exports, the debugger, the checks before rules are taken - sees the very chain
 * that folds go through, with each step on request. On failure the steps up to it are there.
 */
#include <lauxlib.h>

#include "script/lua/upcast.h"

/* Steps and their results grow in the arena; results of the step that is being filled are the last ones. */
struct moon_trace {
	struct arena *arena;
	struct script_pieces *out;
	size_t step_room;
	size_t result_room;
	size_t parent;
	size_t place;
};

static void *
grow(lua_State *L, struct arena *arena, void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	*room = *room == 0 ? 4 : *room * 2;
	void *more = moon_alloc(L, arena, *room, size);
	if (count > 0)
		memcpy(more, items, count * size);
	return more;
}

void
moon_trace_step(lua_State *L, struct moon_chain *chain, uint16_t event, uint32_t version)
{
	struct moon_trace *trace = chain->trace;
	if (trace == NULL)
		return;
	struct script_pieces *out = trace->out;
	out->steps = grow(L, trace->arena, out->steps, out->step_count, &trace->step_room, sizeof *out->steps);
	out->steps[out->step_count++] = (struct script_step){
		.type = chain->machine->program->door.aggregates[chain->aggregate].events[event].name,
		.schema_version = version,
		.parent = trace->parent,
		.place = trace->place,
	};
	trace->result_room = 0;
}

static struct slice
canonical(lua_State *L, struct moon_machine *machine, struct arena *arena)
{
	struct fault fault;
	buf_clear(&machine->scratch);
	if (json_write(L, -1, &machine->scratch, NULL, &fault) != 0) {
		fault_prefix(&fault, "data that an upcaster gave");
		moon_fail_fault(L, &fault);
	}
	return moon_keep(L, arena, buf_slice(&machine->scratch));
}

static void
add_result(lua_State *L, struct moon_chain *chain, struct slice type, uint32_t version)
{
	struct moon_trace *trace = chain->trace;
	struct script_step *step = &trace->out->steps[trace->out->step_count - 1];
	struct script_piece *results = grow(L, trace->arena, (void *)(uintptr_t)step->results, step->count,
					    &trace->result_room, sizeof *results);
	results[step->count] = (struct script_piece){ type, version, canonical(L, chain->machine, trace->arena) };
	step->results = results;
	step->count++;
}

void
moon_trace_data(lua_State *L, struct moon_chain *chain, struct slice type, uint32_t version)
{
	if (chain->trace == NULL)
		return;
	add_result(L, chain, type, version);
	moon_trace_from(chain, moon_trace_last(chain), 0);
}

void
moon_trace_piece(lua_State *L, struct moon_chain *chain, uint16_t event, uint32_t version)
{
	if (chain->trace != NULL)
		add_result(L, chain, chain->machine->program->door.aggregates[chain->aggregate].events[event].name,
			   version);
}

size_t
moon_trace_last(const struct moon_chain *chain)
{
	return chain->trace != NULL ? chain->trace->out->step_count - 1 : 0;
}

void
moon_trace_from(struct moon_chain *chain, size_t step, size_t place)
{
	if (chain->trace == NULL)
		return;
	chain->trace->parent = step;
	chain->trace->place = place;
}

/* ---- the door's call ---- */

struct upcast_call {
	struct moon_machine *machine;
	uint16_t aggregate;
	const struct recorded_entry *entry;
	unsigned flags;
	struct arena *arena;
	struct script_pieces *out;
};

/* The data on top, of an event in its newest version. */
static struct slice
piece_data(lua_State *L, const struct upcast_call *call, uint16_t event, bool as_recorded)
{
	struct moon_machine *machine = call->machine;
	const struct moon_program *program = machine->program;
	const struct moon_event *rule = &program->aggregates[call->aggregate].events[event];
	struct schema_trouble trouble;
	if ((call->flags & UPCAST_CHECKED) != 0 && !as_recorded) {
		const struct schema_context stored = { .mode = SCHEMA_STORED, .currency = program->currency };
		buf_clear(&machine->scratch);
		if (schema_write(L, -1, rule->data, &stored, &machine->scratch, &trouble) != 0)
			moon_fail(L, rule->apply, FAULT_SCRIPT, "bad_upcast", "upcasters give %s: %s%s%s",
				  program->door.aggregates[call->aggregate].events[event].name.data, trouble.path,
				  trouble.path[0] != '\0' ? ": " : "", trouble.reason);
	}
	if ((call->flags & UPCAST_WIRE) != 0) {
		const struct schema_context wire = { .mode = SCHEMA_WIRE, .currency = program->currency };
		buf_clear(&machine->scratch);
		if (schema_write(L, -1, rule->data, &wire, &machine->scratch, &trouble) == 0)
			return moon_keep(L, call->arena, buf_slice(&machine->scratch));
	}
	return as_recorded ? call->entry->data : canonical(L, machine, call->arena);
}

static int
upcast_body(lua_State *L)
{
	struct upcast_call *call = vm_request(L);
	struct moon_machine *machine = call->machine;
	const struct script_aggregate *door = &machine->program->door.aggregates[call->aggregate];
	struct moon_trace trace = { .arena = call->arena, .out = call->out, .parent = SIZE_MAX };
	struct moon_chain chain = { .machine = machine, .aggregate = call->aggregate };
	struct moon_pieces pieces;
	luaL_checkstack(L, 16, NULL);
	if ((call->flags & UPCAST_STEPS) != 0)
		chain.trace = &trace;
	moon_chain_open(L, &chain, call->entry, &pieces);
	int opened = lua_gettop(L);
	struct script_piece *items = moon_alloc(L, call->arena, pieces.count, sizeof *items);
	for (unsigned i = 0; i < pieces.count; i++) {
		uint16_t event = moon_piece_push(L, machine, call->aggregate, &pieces, i, opened);
		items[i].type = door->events[event].name;
		items[i].schema_version = door->events[event].version;
		items[i].data = piece_data(L, call, event, pieces.plain && chain.steps == 0);
		lua_settop(L, opened);
	}
	call->out->items = items;
	call->out->count = pieces.count;
	return 0;
}

int
moon_upcast(struct script_machine *door, uint16_t aggregate, const struct recorded_entry *entry, unsigned flags,
	    struct arena *arena, struct script_pieces *pieces, struct fault *fault)
{
	struct moon_machine *machine = container_of(door, struct moon_machine, door);
	struct upcast_call call = { machine, aggregate, entry, flags, arena, pieces };
	struct moon_meta outer = machine->meta;
	int result = moon_protect(machine, upcast_body, &call, fault);
	machine->meta = outer;
	return result;
}
