/* SPDX-License-Identifier: MIT */
/*
 * Promises: one chain says what a recorded event is under the rules of today, whoever asks - folds, projections,
 * readers, the debugger: each step sees what the one before gave, and the chain ends where declared events stand in
 * their newest version, or with nothing [I7]. Recorded bytes are only read.
 *
 * A step is the function upcast[v] of a type: it gives the data of version v + 1, or a list of events { type, version?,
 * data } that go on by their own steps, or false for none. Data from a list becomes canonical JSON and back, so pieces
 * share no table and hold what could have been recorded. A chain of 1000 steps, or pieces, is taken for a circle.
 */
#include <lauxlib.h>

#include "script/lua/upcast.h"

#define UPCAST_STEPS_MAX  1000
#define UPCAST_PIECES_MAX 1000

/* ---- finding ---- */

int
moon_type_find(const struct moon_program *program, uint16_t aggregate, struct slice type)
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

int
moon_event_find(const struct moon_program *program, uint16_t aggregate, struct slice type)
{
	int event = moon_type_find(program, aggregate, type);
	return event >= 0 && (size_t)event < program->door.aggregates[aggregate].event_count ? event : -1;
}

bool
moon_path(const struct script_program *program, uint16_t aggregate, struct slice type, uint32_t version)
{
	const struct moon_program *own = container_of(program, struct moon_program, door);
	const struct script_aggregate *door = &program->aggregates[aggregate];
	int event = moon_type_find(own, aggregate, type);
	if (event < 0)
		return false;
	const uint32_t *upcast = own->aggregates[aggregate].events[event].upcast;
	bool retired = (size_t)event >= door->event_count;
	uint32_t newest = door->events[event].version, last = retired ? newest : newest - 1;
	if (version == 0)
		version = 1;
	if (version > newest)
		return false;
	for (; version <= last; version++)
		if (upcast == NULL || upcast[version] == 0)
			return false;
	return true;
}

/* ---- steps ---- */

/* The step from a version; raises where there is none. 0: nothing to do. */
static uint32_t
step_of(lua_State *L, struct moon_chain *chain, uint16_t event, uint32_t version)
{
	const struct script_aggregate *door = &chain->machine->program->door.aggregates[chain->aggregate];
	const struct moon_event *rule = &chain->machine->program->aggregates[chain->aggregate].events[event];
	const char *name = door->events[event].name.data;
	uint32_t newest = door->events[event].version;
	if (version > newest)
		moon_fail(L, rule->apply, FAULT_SCRIPT, "newer_event",
			  "%s was recorded in version %u, the rules know it up to version %u", name, version, newest);
	if (version == newest && event < door->event_count)
		return 0;
	uint32_t step = rule->upcast != NULL ? rule->upcast[version] : 0;
	if (step == 0)
		moon_fail(L, rule->apply, FAULT_SCRIPT, "no_upcast_path",
			  "%s has no upcast[%u], and an event of version %u is recorded", name, version, version);
	if (++chain->steps > UPCAST_STEPS_MAX)
		moon_fail(L, step, FAULT_SCRIPT, "upcast_circle",
			  "%d steps and no end, the last from %s version %u: do upcasters go in a circle?",
			  UPCAST_STEPS_MAX, name, version);
	return step;
}

enum came { STEP_READY, STEP_LIST, STEP_DROPPED };

/*
 * The data on top is of `event` in *version: goes on while steps give data. READY: data of the newest version is on
 * top. LIST: what the step of *version gave. DROPPED: nothing.
 */
static enum came
advance(lua_State *L, struct moon_chain *chain, uint16_t event, uint32_t *version)
{
	struct moon_machine *machine = chain->machine;
	const struct script_aggregate *door = &machine->program->door.aggregates[chain->aggregate];
	uint32_t step;
	while ((step = step_of(L, chain, event, *version)) != 0) {
		machine->meta.type = door->events[event].name;
		moon_push_handler(L, machine, step);
		lua_insert(L, -2);
		lua_rawgeti(L, LUA_REGISTRYINDEX, machine->meta_object);
		lua_call(L, 2, 1);
		moon_trace_step(L, chain, event, *version);
		if (lua_type(L, -1) == LUA_TBOOLEAN && !lua_toboolean(L, -1)) {
			lua_pop(L, 1);
			return STEP_DROPPED;
		}
		if (lua_type(L, -1) != LUA_TTABLE)
			moon_fail(L, step, FAULT_SCRIPT, "bad_result",
				  "upcast[%u] of %s gives %s, not the data, a list of events, or false", *version,
				  door->events[event].name.data, lua_isnil(L, -1) ? "nothing" : luaL_typename(L, -1));
		if (lua_rawlen(L, -1) > 0 || json_is_array(L, -1))
			return STEP_LIST;
		if (event >= door->event_count && *version == door->events[event].version)
			moon_fail(L, step, FAULT_SCRIPT, "bad_result",
				  "%s is retired: its last upcast gives a list of events { type, version?, data }, or "
				  "false",
				  door->events[event].name.data);
		(*version)++;
		moon_trace_data(L, chain, door->events[event].name, *version);
	}
	return STEP_READY;
}

/* ---- lists ---- */

/* Refuses fields of the piece on top that mean nothing. */
static void
only_known(lua_State *L, uint32_t step, int number)
{
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "[number]";
		if (strcmp(key, "type") != 0 && strcmp(key, "version") != 0 && strcmp(key, "data") != 0)
			moon_fail(L, step, FAULT_SCRIPT, "bad_result",
				  "piece %d has a field '%s'; it has type, version and data", number, key);
	}
}

struct origin {
	uint16_t event;
	uint32_t version;
	uint32_t step;
};

/* The event and version that the piece on top names. */
static struct moon_way
read_name(lua_State *L, struct moon_chain *chain, const struct origin *from, int number)
{
	const struct moon_program *program = chain->machine->program;
	const struct script_aggregate *door = &program->door.aggregates[chain->aggregate];
	struct slice type = SLICE_NONE;
	lua_pushliteral(L, "type");
	if (lua_rawget(L, -2) == LUA_TSTRING)
		type.data = lua_tolstring(L, -1, &type.size);
	lua_pop(L, 1);
	int event = type.data != NULL ? moon_type_find(program, chain->aggregate, type) : -1;
	if (event < 0)
		moon_fail(L, from->step, FAULT_SCRIPT, "bad_result", "piece %d: aggregate %s has no event '%s'", number,
			  door->name.data, type.data != NULL ? type.data : "");
	const struct script_event *target = &door->events[event];
	lua_pushliteral(L, "version");
	bool unsaid = lua_rawget(L, -2) == LUA_TNIL;
	lua_Integer version = unsaid ? 1 : lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
	lua_pop(L, 1);
	if (version < 1 || version > target->version)
		moon_fail(L, from->step, FAULT_SCRIPT, "bad_result", "piece %d: %s has versions 1 to %u", number,
			  target->name.data, target->version);
	if (event == from->event && version <= from->version)
		moon_fail(L, from->step, FAULT_SCRIPT, "upcast_circle",
			  "piece %d: upcast[%u] of %s gives version %d of itself; name a later version", number,
			  from->version, target->name.data, (int)version);
	return (struct moon_way){ (uint16_t)event, (uint32_t)version };
}

/* The piece on top is replaced by its data, canonical. */
static struct moon_way
read_piece(lua_State *L, struct moon_chain *chain, const struct origin *from, int number)
{
	struct moon_machine *machine = chain->machine;
	struct fault fault;
	if (lua_type(L, -1) != LUA_TTABLE)
		moon_fail(L, from->step, FAULT_SCRIPT, "bad_result", "piece %d is a %s, not a table { type, data }",
			  number, luaL_typename(L, -1));
	only_known(L, from->step, number);
	struct moon_way way = read_name(L, chain, from, number);
	const char *name = machine->program->door.aggregates[chain->aggregate].events[way.event].name.data;
	lua_pushliteral(L, "data");
	if (lua_rawget(L, -2) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	lua_remove(L, -2);
	if (lua_type(L, -1) != LUA_TTABLE || lua_rawlen(L, -1) > 0 || json_is_array(L, -1))
		moon_fail(L, from->step, FAULT_SCRIPT, "bad_result", "piece %d, %s: data is no table of fields", number,
			  name);
	buf_clear(&machine->scratch);
	if (json_write(L, -1, &machine->scratch, NULL, &fault) != 0)
		moon_fail(L, from->step, FAULT_SCRIPT, "bad_result", "piece %d, %s: %s", number, name, fault.text);
	lua_pop(L, 1);
	if (json_read(L, buf_slice(&machine->scratch), NULL, &fault) != 0)
		moon_fail_fault(L, &fault);
	return way;
}

/* Data on top -> the end of the holder. */
static void
hold(lua_State *L, struct moon_chain *chain, uint16_t event)
{
	if (chain->pieces == UPCAST_PIECES_MAX)
		moon_fail(L, 0, FAULT_SCRIPT, "bad_result", "upcasters make more than %d pieces of one event",
			  UPCAST_PIECES_MAX);
	lua_rawseti(L, chain->holder, 2 * (lua_Integer)chain->pieces + 2);
	lua_pushinteger(L, event);
	lua_rawseti(L, chain->holder, 2 * (lua_Integer)chain->pieces + 1);
	chain->pieces++;
}

/* The list on top, given by the last step; popped. */
static void
spread(lua_State *L, struct moon_chain *chain, uint16_t event, uint32_t version)
{
	struct origin from = { event, version,
			       chain->machine->program->aggregates[chain->aggregate].events[event].upcast[version] };
	int list = lua_gettop(L);
	lua_Integer count = (lua_Integer)lua_rawlen(L, list), keys = 0;
	size_t step = moon_trace_last(chain);
	luaL_checkstack(L, 16, "upcasters nested too deeply");
	for (lua_pushnil(L); lua_next(L, list); lua_pop(L, 1))
		keys++;
	if (keys != count || count > UPCAST_PIECES_MAX)
		moon_fail(L, from.step, FAULT_SCRIPT, "bad_result",
			  "upcast[%u] of %s gives neither data nor a list of at most %d events: names and numbers as "
			  "keys",
			  version, chain->machine->program->door.aggregates[chain->aggregate].events[event].name.data,
			  UPCAST_PIECES_MAX);
	/* all of them first: a later step must not see what an earlier one did to a table they share */
	lua_createtable(L, (int)count, 0);
	struct moon_way *ways = lua_newuserdatauv(L, (size_t)(count > 0 ? count : 1) * sizeof *ways, 0);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, list, i);
		ways[i - 1] = read_piece(L, chain, &from, (int)i);
		moon_trace_piece(L, chain, ways[i - 1].event, ways[i - 1].version);
		lua_rawseti(L, list + 1, i);
	}
	for (lua_Integer i = 1; i <= count; i++) {
		struct moon_way way = ways[i - 1];
		moon_trace_from(chain, step, (size_t)i - 1);
		lua_rawgeti(L, list + 1, i);
		switch (advance(L, chain, way.event, &way.version)) {
		case STEP_READY:
			hold(L, chain, way.event);
			break;
		case STEP_LIST:
			spread(L, chain, way.event, way.version);
			break;
		case STEP_DROPPED:
			break;
		}
	}
	lua_settop(L, list - 1);
}

/* ---- a recorded event ---- */

void
moon_chain_open(lua_State *L, struct moon_chain *chain, const struct recorded_entry *entry, struct moon_pieces *pieces)
{
	struct moon_machine *machine = chain->machine;
	const struct script_aggregate *door = &machine->program->door.aggregates[chain->aggregate];
	uint32_t version = entry->schema_version != 0 ? entry->schema_version : 1;
	int event = moon_type_find(machine->program, chain->aggregate, entry->type);
	struct fault fault;
	if (event < 0)
		moon_fail(L, 0, FAULT_SCRIPT, "unknown_event", "%.*s, version %llu: the rules know no event %.*s",
			  SLICE_ARG(entry->stream), (unsigned long long)entry->version, SLICE_ARG(entry->type));
	machine->meta = moon_meta_recorded(entry);
	if (json_read(L, entry->data, NULL, &fault) != 0) {
		fault.class = FAULT_CORRUPT;
		fault_prefix(&fault, "data of %.*s, version %llu", SLICE_ARG(entry->stream),
			     (unsigned long long)entry->version);
		moon_fail_fault(L, &fault);
	}
	*pieces = (struct moon_pieces){ .count = 1, .plain = true, .event = (uint16_t)event };
	if (version == door->events[event].version && (size_t)event < door->event_count)
		return;
	enum came step = advance(L, chain, (uint16_t)event, &version);
	if (step == STEP_READY) {
		machine->meta.type = door->events[event].name;
		return;
	}
	lua_newtable(L);
	chain->holder = lua_gettop(L);
	if (step == STEP_LIST) {
		lua_pushvalue(L, -2);
		spread(L, chain, (uint16_t)event, version);
		lua_remove(L, -2);
	}
	*pieces = (struct moon_pieces){ .count = chain->pieces };
}

void
moon_pieces_open(lua_State *L, struct moon_machine *machine, uint16_t aggregate, const struct recorded_entry *entry,
		 struct moon_pieces *pieces)
{
	struct moon_chain chain = { .machine = machine, .aggregate = aggregate };
	moon_chain_open(L, &chain, entry, pieces);
}

uint16_t
moon_piece_push(lua_State *L, struct moon_machine *machine, uint16_t aggregate, const struct moon_pieces *pieces,
		unsigned piece, int at)
{
	if (pieces->plain) {
		lua_pushvalue(L, at);
		return pieces->event;
	}
	lua_rawgeti(L, at, 2 * (lua_Integer)piece + 1);
	uint16_t event = (uint16_t)lua_tointeger(L, -1);
	lua_pop(L, 1);
	lua_rawgeti(L, at, 2 * (lua_Integer)piece + 2);
	machine->meta.type = machine->program->door.aggregates[aggregate].events[event].name;
	machine->meta.piece = piece + 1;
	machine->meta.pieces = pieces->count;
	return event;
}
