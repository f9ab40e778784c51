/* SPDX-License-Identifier: MIT */
/*
 * `core` for specs: decide, state, project and query over the door, with events given as JSON. Events of the newest
 * version are checked against their schema first, so that a spec cannot start from a past that never was.
 *
 * Errors of a spec (unknown names, bad events) are raised in the specs' state; what the rules do comes back as
 * a table.
 */
#include "script/lua/kit_core.h"

#include <lauxlib.h>
#include <stdlib.h>

struct kit *
kit_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

struct slice
kit_field_text(lua_State *L, int table, const char *field)
{
	struct slice text = SLICE_NONE;
	if (lua_getfield(L, table, field) == LUA_TSTRING)
		text.data = lua_tolstring(L, -1, &text.size);
	lua_pop(L, 1); /* the table keeps it */
	return text;
}

bool
kit_field_flag(lua_State *L, const char *field)
{
	lua_getfield(L, 1, field);
	bool flag = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return flag;
}

int64_t
kit_field_integer(lua_State *L, const char *field, int64_t otherwise)
{
	int whole = 0;
	lua_getfield(L, 1, field);
	int64_t number = lua_tointegerx(L, -1, &whole);
	lua_pop(L, 1);
	return whole ? number : otherwise;
}

struct kit_domain *
kit_domain_named(lua_State *L, struct slice name)
{
	struct kit *kit = kit_of(L);
	bool twin = lua_istable(L, 1) && kit_field_flag(L, "twin");
	for (size_t i = 0; i < kit->domain_count; i++)
		if (slice_equal(kit->domains[i].program->domain, name))
			return twin ? &kit->twins[i] : &kit->domains[i];
	luaL_error(L, "no domain '%s' is loaded", name.data != NULL ? name.data : "?");
	return NULL;
}

void
kit_set_text(lua_State *L, const char *field, struct slice text)
{
	lua_pushlstring(L, text.data != NULL ? text.data : "", text.size);
	lua_setfield(L, -2, field);
}

/* A result that says what failed. */
int
kit_give_fault(lua_State *L, const struct fault *fault)
{
	lua_newtable(L);
	bool refused = fault->class == FAULT_INPUT && fault->native >= 400;
	kit_set_text(L, "kind", refused ? SLICE("refused") : SLICE("error"));
	kit_set_text(L, "code", slice_text(fault->code));
	kit_set_text(L, "message", slice_text(fault->text));
	kit_set_text(L, "class", slice_text(fault_class_name(fault->class)));
	return 1;
}

int64_t
kit_read_time(lua_State *L, int table)
{
	int64_t time_us = 0;
	struct slice text = kit_field_text(L, table, "at");
	if (text.data != NULL && clock_parse(text.data, &time_us) != 0)
		luaL_error(L, "'%s' is no time: write \"2026-01-01T00:00:00Z\"", text.data);
	return time_us;
}

/* ---- events ---- */

struct schema_check {
	struct moon_machine *machine;
	uint16_t aggregate;
	uint16_t event;
	struct slice data;
};

static int
schema_check_body(lua_State *L)
{
	const struct schema_check *check = vm_request(L);
	const struct moon_program *program = check->machine->program;
	const struct schema_context context = { .mode = SCHEMA_STORED, .currency = program->currency };
	struct schema_trouble trouble;
	const struct schema *schema = program->aggregates[check->aggregate].events[check->event].data;
	if (schema_read(L, schema, check->data, &context, &trouble) != 0)
		moon_fail_input(L, &trouble);
	return 0;
}

/* The aggregate in a stream's whole name; or the only one that has the event. */
static int
aggregate_of(const struct kit_domain *domain, struct slice stream, struct slice type)
{
	const struct script_program *program = domain->program;
	struct stream_name name;
	struct fault fault;
	if (stream.size > 0)
		return stream_parse(stream, &name, &fault) == 0 ? script_find_aggregate(program, name.aggregate) : -1;
	int found = -1;
	for (size_t i = 0; i < program->aggregate_count; i++) {
		if (moon_type_find(container_of(program, struct moon_program, door), (uint16_t)i, type) < 0)
			continue;
		if (found >= 0)
			return -1;
		found = (int)i;
	}
	return found;
}

static void
read_event(lua_State *L, const struct kit_domain *domain, struct kit_past *past, int64_t time_us)
{
	struct kit *kit = kit_of(L);
	struct recorded_entry *entry = &past->entries[past->count];
	const struct moon_program *program = container_of(domain->program, struct moon_program, door);
	int at = lua_gettop(L);
	struct slice type = kit_field_text(L, at, "type"), stream = kit_field_text(L, at, "stream");
	if (kit_field_text(L, at, "at").size > 0)
		time_us = kit_read_time(L, at);
	lua_getfield(L, at, "schema");
	uint32_t version = (uint32_t)lua_tointeger(L, -1);
	lua_pop(L, 1);
	int aggregate = aggregate_of(domain, stream, type);
	if (aggregate < 0)
		luaL_error(L, "event %s: of which stream? Give stream = \"domain.aggregate/id\"", type.data);
	if (stream.size == 0)
		stream = arena_format(&kit->arena, "%s.%s/1", domain->program->domain.data,
				      domain->program->aggregates[aggregate].name.data);
	int event = moon_type_find(program, (uint16_t)aggregate, type);
	*entry = (struct recorded_entry){ .kind = ENTRY_EVENT,
					  .position = past->count + 1,
					  .commit_size = 1,
					  .stream = stream,
					  .version = 1,
					  .type = type,
					  .schema_version = version,
					  .recorded_at_us = time_us,
					  .data = kit_field_text(L, at, "data") };
	entry->commit_first = entry->position;
	const uint8_t bytes[16] = { [15] = (uint8_t)entry->position, [14] = (uint8_t)(entry->position >> 8) };
	entry->id = id_v4(bytes);
	for (size_t i = 0; i < past->count; i++)
		entry->version += slice_equal(past->entries[i].stream, stream);
	past->count++;
	if (version == 0)
		entry->schema_version = event >= 0 ? domain->program->aggregates[aggregate].events[event].version : 1;
	const struct script_aggregate *rules = &domain->program->aggregates[aggregate];
	if (event < 0 || (size_t)event >= rules->event_count || entry->schema_version != rules->events[event].version)
		return; /* the fold says what it thinks of it */
	struct schema_check check = { container_of(domain->machine, struct moon_machine, door), (uint16_t)aggregate,
				      (uint16_t)event, entry->data };
	struct fault fault;
	if (moon_protect(check.machine, schema_check_body, &check, &fault) != 0)
		luaL_error(L, "given event %d, %s: %s", (int)past->count, type.data, fault.text);
}

/* Delivered once more: it is the event that it was. */
static void
repeat_event(const struct recorded_entry *first, struct recorded_entry *again)
{
	again->position = first->position;
	again->commit_first = first->commit_first;
	again->version = first->version;
	again->id = first->id;
}

/* The list in field `events` of the table at 1; it stays on the stack. After the first `repeated` they come again. */
struct kit_past
kit_read_past(lua_State *L, const struct kit_domain *domain)
{
	struct kit_past past = { NULL, 0 };
	int64_t time_us = kit_read_time(L, 1);
	lua_getfield(L, 1, "repeated");
	size_t repeated = (size_t)lua_tointeger(L, -1);
	lua_pop(L, 1);
	lua_getfield(L, 1, "events");
	size_t count = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
	past.entries = arena_zero(&kit_of(L)->arena, count + 1, sizeof *past.entries);
	if (past.entries == NULL)
		luaL_error(L, "no memory for %d events", (int)count);
	for (size_t i = 1; i <= count; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i);
		read_event(L, domain, &past, time_us);
		if (repeated > 0 && i > repeated)
			repeat_event(&past.entries[i - 1 - repeated], &past.entries[i - 1]);
		lua_pop(L, 1);
	}
	return past;
}

/* Replaces the state by what its canonical JSON gives. */
static int
through_json(struct script_machine *machine, uint16_t aggregate, script_state *state, struct fault *fault)
{
	struct buf bytes;
	script_state copy = 0;
	buf_init(&bytes, (size_t)16 << 20);
	int result = script_encode(machine, aggregate, *state, &bytes, fault);
	if (result == 0)
		result = script_decode(machine, aggregate, buf_slice(&bytes), &copy, fault);
	buf_fini(&bytes);
	script_state_release(machine, *state);
	*state = copy;
	return result;
}

int
kit_fold_stream(void *self, uint16_t aggregate, struct slice id, script_state *state, stream_version *version,
		struct fault *fault)
{
	const struct kit_streams *streams = self;
	struct script_machine *machine = streams->domain->machine;
	char name[STREAM_NAME_MAX + 1];
	int size = snprintf(name, sizeof name, "%.*s.%.*s/%.*s", SLICE_ARG(machine->program->domain),
			    SLICE_ARG(machine->program->aggregates[aggregate].name), SLICE_ARG(id));
	*state = 0;
	*version = 0;
	for (size_t i = 0; i < streams->past->count; i++) {
		const struct recorded_entry *entry = &streams->past->entries[i];
		size_t folded;
		if (!slice_equal(entry->stream, slice_from(name, (size_t)size)))
			continue;
		if (*state == 0 && script_initial(machine, aggregate, state, fault) != 0)
			return -1;
		if (script_fold(machine, aggregate, *state, entry, 1, &folded, fault) != 0) {
			script_state_release(machine, *state);
			*state = 0;
			return -1;
		}
		if (streams->by_json && through_json(machine, aggregate, state, fault) != 0)
			return -1;
		(*version)++;
	}
	return 0;
}

/* ---- decide ---- */

static void
push_timers(lua_State *L, const struct decided *decided)
{
	lua_createtable(L, (int)decided->timer_count, 0);
	for (size_t i = 0; i < decided->timer_count; i++) {
		const struct decided_timer *timer = &decided->timers[i];
		lua_createtable(L, 0, 5);
		kit_set_text(L, "name", timer->name);
		kit_set_text(L, "stream", decided->streams[timer->stream].name);
		kit_set_text(L, "data", timer->cancel ? SLICE("{}") : timer->data);
		lua_pushboolean(L, timer->cancel);
		lua_setfield(L, -2, "cancel");
		lua_pushinteger(L, timer->due_us);
		lua_setfield(L, -2, "at");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "timers");
}

void
kit_push_decided(lua_State *L, const struct decided *decided)
{
	static const struct slice kinds[] = {
		[ENTRY_EVENT] = SLICE("event"), [ENTRY_MESSAGE] = SLICE("message"), [ENTRY_TIMER] = SLICE("timer")
	};
	lua_newtable(L);
	for (size_t i = 0; i < decided->entry_count; i++) {
		const struct new_entry *entry = &decided->entries[i];
		struct slice stream = decided->streams[entry->stream].name;
		const char *slash = memchr(stream.data, '/', stream.size);
		lua_newtable(L);
		kit_set_text(L, "kind", kinds[entry->kind]);
		kit_set_text(L, "type", entry->type);
		kit_set_text(L, "data", entry->data);
		kit_set_text(L, "topic", entry->topic);
		kit_set_text(L, "key", entry->key);
		kit_set_text(L, "stream", stream);
		kit_set_text(L, "id", slice_from(slash + 1, (size_t)(stream.data + stream.size - slash) - 1));
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "entries");
	lua_newtable(L);
	for (size_t i = 0; i < decided->reservation_count; i++) {
		lua_newtable(L);
		kit_set_text(L, "name", decided->reservations[i].name);
		kit_set_text(L, "key", decided->reservations[i].key);
		lua_pushboolean(L, decided->reservations[i].release);
		lua_setfield(L, -2, "release");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "reservations");
	push_timers(L, decided);
}

static int
give_refusal(lua_State *L, struct slice code, struct slice message)
{
	lua_newtable(L);
	kit_set_text(L, "kind", SLICE("refused"));
	kit_set_text(L, "code", code);
	kit_set_text(L, "message", message);
	const struct decided none = { 0 };
	kit_push_decided(L, &none);
	return 1;
}

static void
push_state(lua_State *L, const struct kit_domain *domain, uint16_t aggregate, script_state state)
{
	struct buf out;
	struct fault fault;
	buf_init(&out, (size_t)16 << 20);
	struct slice text = SLICE_NONE;
	if (state != 0 && script_encode(domain->machine, aggregate, state, &out, &fault) == 0)
		text = arena_copy(&kit_of(L)->arena, buf_slice(&out));
	buf_fini(&out);
	if (text.size > 0)
		kit_set_text(L, "state", text);
}

static int
give_decided(lua_State *L, const struct kit_domain *domain, uint16_t aggregate, const struct decided *decided)
{
	bool accepted = decided->decision == DECISION_ACCEPTED;
	lua_newtable(L);
	kit_set_text(L, "kind", accepted ? SLICE("accepted") : SLICE("refused"));
	kit_set_text(L, "code", decided->code);
	kit_set_text(L, "message", decided->message);
	lua_pushinteger(L, decided->status);
	lua_setfield(L, -2, "status");
	if (decided->reply.size > 0)
		kit_set_text(L, "reply", decided->reply);
	kit_push_decided(L, decided);
	push_state(L, domain, aggregate, decided->streams[0].state);
	return 1;
}

void
kit_release_states(const struct kit_domain *domain, const struct decided *decided)
{
	for (size_t i = 0; i < decided->stream_count; i++)
		script_state_release(domain->machine, decided->streams[i].state);
}

static int
core_decide(lua_State *L)
{
	struct kit *kit = kit_of(L);
	struct fault fault;
	struct decided decided;
	luaL_checktype(L, 1, LUA_TTABLE);
	arena_clear(&kit->arena);
	const struct kit_domain *domain = kit_domain_named(L, kit_field_text(L, 1, "domain"));
	int aggregate = script_find_aggregate(domain->program, kit_field_text(L, 1, "aggregate"));
	if (aggregate < 0)
		return luaL_error(L, "no such aggregate");
	const struct script_aggregate *rules = &domain->program->aggregates[aggregate];
	int command = script_find_command(rules, kit_field_text(L, 1, "command"));
	if (command < 0)
		return luaL_error(L, "aggregate %s has no command '%s'", rules->name.data,
				  kit_field_text(L, 1, "command").data);
	const struct kit_past past = kit_read_past(L, domain);
	struct kit_streams streams = { domain, &past, kit_field_flag(L, "by_json") };
	struct decide_request request = {
		.aggregate = (uint16_t)aggregate,
		.command = (uint16_t)command,
		.id = kit_field_text(L, 1, "id"),
		.body = kit_field_text(L, 1, "body"),
		.context = { .now_us = kit_read_time(L, 1),
			     .seed = { (uint64_t)kit_field_integer(L, "seed", 1), 2 },
			     .caller = kit_field_text(L, 1, "caller") },
		.loader = { kit_fold_stream, &streams },
	};
	if (kit_fold_stream(&streams, request.aggregate, request.id, &request.state, &request.version, &fault) != 0)
		return luaL_error(L, "the events given cannot be folded: %s", fault.text);
	const struct script_command *rule = &rules->commands[command];
	bool refused = rule->creates ? request.state != 0 : request.state == 0 && !rule->anywhere;
	if (refused) {
		script_state_release(domain->machine, request.state);
		return rule->creates ? give_refusal(L, SLICE("stream_exists"), SLICE("the stream is there already"))
				     : give_refusal(L, SLICE("no_such_stream"), SLICE("the stream is not there"));
	}
	int result = script_decide(domain->machine, &request, &kit->arena, &decided, &fault);
	if (result == 0)
		give_decided(L, domain, request.aggregate, &decided);
	else
		kit_give_fault(L, &fault);
	kit_release_states(domain, &decided);
	return 1;
}

static int
core_state(lua_State *L)
{
	struct fault fault;
	script_state state;
	stream_version version;
	luaL_checktype(L, 1, LUA_TTABLE);
	arena_clear(&kit_of(L)->arena);
	const struct kit_domain *domain = kit_domain_named(L, kit_field_text(L, 1, "domain"));
	int aggregate = script_find_aggregate(domain->program, kit_field_text(L, 1, "aggregate"));
	if (aggregate < 0)
		return luaL_error(L, "no such aggregate");
	const struct kit_past past = kit_read_past(L, domain);
	struct kit_streams streams = { domain, &past, kit_field_flag(L, "by_json") };
	if (kit_fold_stream(&streams, (uint16_t)aggregate, kit_field_text(L, 1, "id"), &state, &version, &fault) != 0)
		return kit_give_fault(L, &fault);
	if (state == 0 && script_initial(domain->machine, (uint16_t)aggregate, &state, &fault) != 0)
		return kit_give_fault(L, &fault);
	lua_newtable(L);
	kit_set_text(L, "kind", SLICE("accepted"));
	push_state(L, domain, (uint16_t)aggregate, state);
	script_state_release(domain->machine, state);
	return 1;
}

/* ---- small ones ---- */

static int
core_encode(lua_State *L)
{
	struct kit *kit = kit_of(L);
	struct fault fault;
	struct buf out;
	luaL_checkany(L, 1);
	buf_init(&out, (size_t)16 << 20);
	int result = json_write(L, 1, &out, NULL, &fault);
	struct arena_mark mark = arena_mark(&kit->arena);
	struct slice text = arena_copy(&kit->arena, buf_slice(&out));
	buf_fini(&out);
	if (result != 0)
		return luaL_error(L, "%s", fault.text);
	lua_pushlstring(L, text.data != NULL ? text.data : "", text.size);
	arena_reset(&kit->arena, mark);
	return 1;
}

static int
core_decode(lua_State *L)
{
	struct slice text;
	struct fault fault;
	text.data = luaL_checklstring(L, 1, &text.size);
	if (json_read(L, text, NULL, &fault) != 0)
		return luaL_error(L, "%s", fault.text);
	return 1;
}

static int
core_is_array(lua_State *L)
{
	lua_pushboolean(L, json_is_array(L, 1));
	return 1;
}

static int
core_domains(lua_State *L)
{
	const struct kit *kit = kit_of(L);
	lua_newtable(L);
	for (size_t i = 0; i < kit->domain_count; i++) {
		lua_pushstring(L, kit->domains[i].program->domain.data);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* has(domain, "aggregate" | "projection" | "reactor" | "query", name) */
static int
core_has(lua_State *L)
{
	struct slice domain, name;
	domain.data = luaL_checklstring(L, 1, &domain.size);
	const char *kind = luaL_checkstring(L, 2);
	name.data = luaL_checklstring(L, 3, &name.size);
	const struct script_program *program = kit_domain_named(L, domain)->program;
	int found = strcmp(kind, "aggregate") == 0    ? script_find_aggregate(program, name)
		    : strcmp(kind, "projection") == 0 ? script_find_projection(program, name)
		    : strcmp(kind, "reactor") == 0    ? script_find_reactor(program, name)
						      : script_find_query(program, name);
	lua_pushboolean(L, found >= 0);
	return 1;
}

void
kit_core_push(lua_State *L, struct kit *kit)
{
	static const luaL_Reg functions[] = {
		{ "decide", core_decide },     { "state", core_state },
		{ "project", kit_project },    { "query", kit_query },
		{ "encode", core_encode },     { "decode", core_decode },
		{ "is_array", core_is_array }, { "domains", core_domains },
		{ "has", core_has },           { "upcast", kit_upcast },
		{ "shift", kit_shift },        { "react", kit_react },
		{ "micros", kit_micros },      { NULL, NULL },
	};
	luaL_newlibtable(L, functions);
	lua_pushlightuserdata(L, kit);
	luaL_setfuncs(L, functions, 1);
	json_push_null(L);
	lua_setfield(L, -2, "null");
}
