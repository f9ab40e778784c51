/* SPDX-License-Identifier: MIT */
/* Checks of an aggregate's file: its events, commands, handlers and schemas, and that `initial` gives a state. */
#include <lauxlib.h>

#include "script/lua/inspect.h"

#define EVENTS_MAX   1000
#define VERSION_MAX  10000
#define COMMANDS_MAX 1000

static void
inspect_publish(struct inspection *in, struct script_event *door, struct moon_event *rule)
{
	static const char *const fields[] = { "topic", "map", NULL };
	if (inspect_push(in, "publish", LUA_TTABLE) == LUA_TTABLE) {
		inspect_enter(in, SLICE("publish"));
		inspect_fields(in, fields);
		door->topic = inspect_text(in, "topic");
		if (!moon_topic_ok(door->topic))
			inspect_fail(in, "topic", "'topic' is a text of 1 to 249 letters, digits, '.', '_' and '-'");
		rule->map = inspect_handler(in, "map", false);
		door->has_publish_map = rule->map != 0;
		inspect_leave(in);
	}
	lua_pop(in->L, 1);
}

/* Versions that the table on top has steps for: at most `most`. */
static uint32_t
check_steps(struct inspection *in, uint32_t most)
{
	lua_State *L = in->L;
	uint32_t last = 0;
	lua_pushnil(L);
	for (; lua_next(L, -2); lua_pop(L, 1)) {
		lua_Integer from = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
		if (from < 1)
			inspect_fail(in, "upcast", "keys of upcast are recorded versions, as [1] = function");
		else if (from > (lua_Integer)most)
			inspect_fail(in, "upcast", "upcast[%lld] leads beyond 'version', which is %u: raise it to %lld",
				     (long long)from, most + 1, (long long)from + 1);
		if (lua_type(L, -1) != LUA_TFUNCTION)
			inspect_fail(in, "upcast", "upcast[%d] is a %s, not a function", (int)from,
				     luaL_typename(L, -1));
		last = (uint32_t)from > last ? (uint32_t)from : last;
	}
	return last;
}

/* upcast = { [1] = function, ... }, one step a version, up to `most`. Gives the last version that has one. */
static uint32_t
inspect_upcast(struct inspection *in, uint32_t most, struct moon_event *rule)
{
	lua_State *L = in->L;
	uint32_t last = 0;
	if (inspect_push(in, "upcast", LUA_TTABLE) == LUA_TTABLE) {
		last = check_steps(in, most);
		/* an event of today is asked for each version below its own, whether it has a step or not */
		uint32_t *steps = inspect_alloc(in, (most < VERSION_MAX ? most : last) + 1, sizeof *steps);
		inspect_enter(in, SLICE("upcast"));
		for (uint32_t from = 1; from <= last; from++) {
			if (lua_rawgeti(L, -1, from) == LUA_TFUNCTION) {
				/* a handler is found by a named field: give it one for the length of the call */
				lua_createtable(L, 0, 1);
				lua_insert(L, -2);
				lua_setfield(L, -2, "step");
				steps[from] = inspect_handler(in, "step", true);
				struct moon_handler *handler = &in->program->handlers[steps[from]];
				handler->path[handler->depth - 1] = (struct moon_step){ .index = from };
			}
			lua_pop(L, 1);
		}
		inspect_leave(in);
		rule->upcast = steps;
	}
	lua_pop(L, 1);
	return last;
}

struct event_pair {
	struct script_event *door;
	struct moon_event *rule;
	const struct slice *live; /* for a retired one: the events of today */
	size_t live_count;
};

static void
publish_event(struct inspection *in, void *self)
{
	const struct event_pair *pair = self;
	inspect_publish(in, pair->door, pair->rule);
}

static void
inspect_event(struct inspection *in, const struct event_pair *pair)
{
	struct script_event *door = pair->door;
	struct moon_event *rule = pair->rule;
	static const char *const fields[] = { "version", "data", "apply", "publish", "upcast", "summary", NULL };
	inspect_fields(in, fields);
	door->version = (uint32_t)inspect_integer(in, "version", 1, VERSION_MAX, 1);
	rule->data = inspect_fields_schema(in, "data");
	rule->apply = inspect_handler(in, "apply", true);
	uint32_t last = inspect_upcast(in, door->version - 1, rule);
	for (uint32_t version = 1; version < door->version; version++)
		if (version > last || rule->upcast[version] == 0)
			inspect_note(in, FINDING_WARNING, "unreachable_version",
				     "upcast has no [%u]: recorded events of version %u cannot reach version %u",
				     version, version, door->version);
	inspect_try(in, publish_event, (void *)(uintptr_t)pair);
}

/* An event that is no longer decided or folded: what its recorded ones are today. */
static void
inspect_retired(struct inspection *in, const struct event_pair *pair)
{
	struct script_event *door = pair->door;
	struct moon_event *rule = pair->rule;
	static const char *const fields[] = { "upcast", "summary", NULL };
	inspect_fields(in, fields);
	door->version = inspect_upcast(in, VERSION_MAX, rule);
	if (door->version == 0)
		inspect_fail(in, NULL, "a retired event has upcast = { [1] = function, ... }");
	for (size_t i = 0; i < pair->live_count; i++)
		if (slice_equal(pair->live[i], door->name))
			inspect_fail(in, NULL, "is among the events, too; it cannot be both");
}

/* Checks that the entry on top is a table and enters it. */
static void
enter_entry(struct inspection *in, const char *list, struct slice name, size_t most)
{
	lua_State *L = in->L;
	if (!inspect_name_ok(name, most))
		inspect_fail(in, name.data, "'%s' cannot be a name: letters, digits and _, a letter first", name.data);
	inspect_enter(in, inspect_keep(in, slice_text(list)));
	inspect_enter(in, name);
	if (lua_type(L, -1) != LUA_TTABLE)
		inspect_fail(in, NULL, "is a %s, not a table", luaL_typename(L, -1));
}

static void
leave_entry(struct inspection *in)
{
	inspect_leave(in);
	inspect_leave(in);
}

static void
add_slot(struct moon_aggregate *rules, uint16_t *slots, struct slice name, size_t number)
{
	uint32_t at = (uint32_t)slice_hash(name, 0) & rules->slot_mask;
	while (slots[at] != 0)
		at = (at + 1) & rules->slot_mask;
	slots[at] = (uint16_t)(number + 1);
}

/* Names of the table on top, or none where it is nil. */
static const struct slice *
list_names(struct inspection *in, const char *field, size_t *count)
{
	lua_State *L = in->L;
	if (inspect_push(in, field, LUA_TTABLE) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	const struct slice *names = inspect_keys(in, count);
	if (*count > EVENTS_MAX)
		inspect_fail(in, field, "more than %d events", EVENTS_MAX);
	return names;
}

static void
enter_event(struct inspection *in, void *self)
{
	const struct event_pair *pair = self;
	enter_entry(in, "events", pair->door->name, ENTRY_TYPE_MAX);
	inspect_event(in, pair);
	leave_entry(in);
}

static void
enter_retired(struct inspection *in, void *self)
{
	const struct event_pair *pair = self;
	enter_entry(in, "retired", pair->door->name, ENTRY_TYPE_MAX);
	inspect_retired(in, pair);
	leave_entry(in);
}

/* ---- the engine's own events ---- */

struct own_event {
	const char *name;
	enum moon_own own;
	const char *fields[6]; /* name, type, ... */
};

static const struct own_event process_events[] = {
	{ "ProcessStarted", OWN_STARTED, { "by", "string" } },
	{ "ProcessCompleted", OWN_COMPLETED, { NULL } },
	{ "CompensationPushed", OWN_PUSHED, { "command", "string", "id", "string", "data", "object" } },
	{ "CompensationsRun", OWN_UNDONE, { "count", "integer", "refused", "integer" } },
};

static const struct own_event document_events[] = { { "Saved", OWN_SAVED, { NULL } } };

static const struct own_event *
own_events(const struct script_aggregate *door, size_t *count)
{
	*count = door->document ? countof(document_events) : door->process ? countof(process_events) : 0;
	return door->document ? document_events : process_events;
}

static const struct schema *
own_schema(struct inspection *in, const struct own_event *own)
{
	lua_State *L = in->L;
	struct schema *schema = NULL;
	struct fault fault;
	if (own->own == OWN_SAVED)
		return inspect_fields_schema(in, "document");
	lua_newtable(L);
	for (size_t i = 0; i + 1 < countof(own->fields) && own->fields[i] != NULL; i += 2) {
		lua_pushstring(L, own->fields[i + 1]);
		lua_setfield(L, -2, own->fields[i]);
	}
	if (schema_compile_fields(L, lua_gettop(L), in->arena, own->name, &schema, &fault) != 0)
		moon_fail_fault(L, &fault);
	lua_pop(L, 1);
	return schema;
}

static void
add_own(struct inspection *in, const struct own_event *own, const struct slice *names, size_t count,
	const struct event_pair *pair)
{
	struct slice name = slice_text(own->name);
	for (size_t i = 0; i < count; i++)
		if (slice_equal(names[i], name))
			inspect_fail(in, own->name, "event '%s' is the engine's own: it cannot be declared", own->name);
	pair->door->name = name;
	pair->door->version = 1;
	pair->rule->own = own->own;
	pair->rule->data = own_schema(in, own);
	if (own->own != OWN_SAVED)
		return;
	pair->door->version = (uint32_t)inspect_integer(in, "version", 1, VERSION_MAX, 1);
	inspect_upcast(in, pair->door->version - 1, pair->rule);
}

static void
inspect_events(struct inspection *in, void *self)
{
	struct script_aggregate *door = &in->aggregates[in->aggregate_count];
	struct moon_aggregate *rules = self;
	lua_State *L = in->L;
	size_t live, retired, owned;
	const struct own_event *own = own_events(door, &owned);
	const struct slice *old = list_names(in, "retired", &retired);
	lua_pushvalue(L, -2);
	const struct slice *names = list_names(in, "events", &live);
	size_t total = live + owned + retired;
	struct script_event *events = inspect_alloc(in, total, sizeof *events);
	struct moon_event *handlers = inspect_alloc(in, total, sizeof *handlers);
	uint32_t slots = 8;
	while (slots < total * 2)
		slots *= 2;
	uint16_t *hash = inspect_alloc(in, slots, sizeof *hash);
	rules->slot_mask = slots - 1;
	for (size_t i = 0; i < live; i++) {
		struct event_pair pair = { &events[i], &handlers[i], NULL, 0 };
		lua_getfield(L, -1, names[i].data);
		events[i].name = names[i];
		inspect_try(in, enter_event, &pair);
		lua_pop(L, 1);
		add_slot(rules, hash, names[i], i);
	}
	lua_pop(L, 1);
	for (size_t i = 0; i < owned; i++) {
		size_t at = live + i;
		add_own(in, &own[i], names, live, &(struct event_pair){ &events[at], &handlers[at], NULL, 0 });
		add_slot(rules, hash, events[at].name, at);
	}
	lua_pop(L, 1);
	for (size_t i = live + owned; i < total; i++) {
		struct event_pair pair = { &events[i], &handlers[i], names, live };
		events[i].name = old[i - live - owned];
		lua_getfield(L, -1, events[i].name.data);
		inspect_try(in, enter_retired, &pair);
		lua_pop(L, 1);
		add_slot(rules, hash, events[i].name, i);
	}
	lua_pop(L, 1);
	door->events = events;
	door->event_count = live + owned;
	door->retired_count = retired;
	rules->events = handlers;
	rules->slots = hash;
}

struct command_pair {
	struct script_command *door;
	struct moon_command *rule;
};

static void
inspect_command(struct inspection *in, const struct command_pair *pair)
{
	struct script_command *door = pair->door;
	struct moon_command *rule = pair->rule;
	static const char *const fields[] = { "data", "handle", "reply", "creates", "anywhere", "summary", NULL };
	inspect_fields(in, fields);
	door->creates = inspect_flag(in, "creates");
	door->anywhere = inspect_flag(in, "anywhere");
	if (door->creates && door->anywhere)
		inspect_fail(in, "anywhere",
			     "'creates' wants the stream to be absent, 'anywhere' does not care: choose one");
	door->summary = inspect_text(in, "summary");
	rule->data = inspect_fields_schema(in, "data");
	rule->reply = inspect_any_schema(in, "reply");
	rule->handle = inspect_handler(in, "handle", true);
}

static void
enter_command(struct inspection *in, void *self)
{
	const struct command_pair *pair = self;
	enter_entry(in, "commands", pair->door->name, STREAM_WORD_MAX);
	inspect_command(in, pair);
	leave_entry(in);
}

static void
inspect_commands(struct inspection *in, void *self)
{
	struct script_aggregate *door = &in->aggregates[in->aggregate_count];
	struct moon_aggregate *rules = self;
	lua_State *L = in->L;
	size_t count = 0;
	if (inspect_push(in, "commands", LUA_TTABLE) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	const struct slice *names = inspect_keys(in, &count);
	if (count > COMMANDS_MAX)
		inspect_fail(in, "commands", "more than %d commands", COMMANDS_MAX);
	struct script_command *commands = inspect_alloc(in, count, sizeof *commands);
	struct moon_command *handlers = inspect_alloc(in, count, sizeof *handlers);
	for (size_t i = 0; i < count; i++) {
		struct command_pair pair = { &commands[i], &handlers[i] };
		lua_getfield(L, -1, names[i].data);
		commands[i].name = names[i];
		inspect_try(in, enter_command, &pair);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	door->commands = commands;
	door->command_count = count;
	rules->commands = handlers;
}

static void
inspect_initial(struct inspection *in)
{
	lua_State *L = in->L;
	struct moon_machine *machine = in->machine;
	struct fault fault;
	inspect_push(in, "initial", LUA_TFUNCTION);
	lua_call(L, 0, 1);
	if (lua_type(L, -1) != LUA_TTABLE)
		inspect_fail(in, "initial", "initial() gives a %s, not a table", luaL_typename(L, -1));
	buf_clear(&machine->scratch);
	if (json_write(L, -1, &machine->scratch, NULL, &fault) != 0)
		inspect_fail(in, "initial", "initial() gives what cannot be a state: %s", fault.text);
	lua_pop(L, 1);
}

/*
 * Does the text read meta.id, meta.position or meta.time anywhere? Only a hint: decisions notice it when it
 * happens.
 */
static bool
reads_meta(struct slice text)
{
	static const char *const words[] = { "meta.id", "meta.position", "meta.time" };
	for (size_t i = 0; i < countof(words); i++) {
		size_t size = strlen(words[i]);
		const char *at = text.data, *end = text.data + text.size;
		while (at != NULL && (at = memmem(at, (size_t)(end - at), words[i], size)) != NULL) {
			char after = at + size < end ? at[size] : ' ';
			if (!((after >= 'a' && after <= 'z') || after == '_' || (after >= 'A' && after <= 'Z')))
				return true;
			at += size;
		}
	}
	return false;
}

static void
inspect_name(struct inspection *in, void *self)
{
	struct script_aggregate *door = self;
	door->name = inspect_text(in, "name");
	if (!stream_word_ok(door->name))
		inspect_fail(in, "name",
			     "an aggregate's name is 1 to 63 lower-case letters, digits and _, a letter first");
	for (size_t i = 0; i < in->aggregate_count; i++)
		if (slice_equal(in->aggregates[i].name, door->name))
			inspect_fail_as(in, "duplicate", "name", "aggregate '%s' is also in %s", door->name.data,
					in->program->sources.items[in->aggregate_rules[i].source].path.data);
}

static void
inspect_start(struct inspection *in, void *self)
{
	struct moon_aggregate *rules = self;
	rules->initial = inspect_handler(in, "initial", true);
	inspect_initial(in);
}

/* snapshot = { every = 100, seconds = 60 }; every = 0: none. */
static void
inspect_snapshot(struct inspection *in, struct script_aggregate *door)
{
	static const char *const fields[] = { "every", "seconds", NULL };

	if (inspect_push(in, "snapshot", LUA_TTABLE) == LUA_TTABLE) {
		inspect_enter(in, SLICE("snapshot"));
		inspect_fields(in, fields);
		int64_t every = inspect_integer(in, "every", 0, 1000000, -1);
		door->snapshot_every = every < 0 ? 0 : every == 0 ? UINT32_MAX : (uint32_t)every;
		door->snapshot_seconds = (uint32_t)inspect_integer(in, "seconds", 1, 100000000, 0);
		inspect_leave(in);
	}
	lua_pop(in->L, 1);
}

static void
inspect_versions(struct inspection *in, void *self)
{
	struct script_aggregate *door = self;

	door->state_version = (uint32_t)inspect_integer(in, "state_version", 1, 1000000, 1);
	inspect_snapshot(in, door);
}

/* The state that `initial` gives must be one that can be saved. */
static void
inspect_first(struct inspection *in, void *self)
{
	const struct moon_aggregate *rules = self;
	const struct schema_context context = { .mode = SCHEMA_STORED, .currency = in->program->currency };
	struct schema_trouble trouble;
	inspect_push(in, "initial", LUA_TFUNCTION);
	lua_call(in->L, 0, 1);
	buf_clear(&in->machine->scratch);
	if (rules->events[0].data != NULL &&
	    schema_write(in->L, -1, rules->events[0].data, &context, &in->machine->scratch, &trouble) != 0)
		inspect_fail(in, "initial", "initial() gives no state as `document` says: %s%s%s", trouble.path,
			     trouble.path[0] != '\0' ? ": " : "", trouble.reason);
	lua_pop(in->L, 1);
}

static void
inspect_state(struct inspection *in, const char *const *fields)
{
	struct script_aggregate *door = &in->aggregates[in->aggregate_count];
	struct moon_aggregate *rules = &in->aggregate_rules[in->aggregate_count];
	rules->source = in->source;
	inspect_fields(in, fields);
	in->missing |= inspect_try(in, inspect_name, door);
	in->missing |= inspect_try(in, inspect_versions, door);
	bool begins = !inspect_try(in, inspect_start, rules);
	in->missing |= inspect_try(in, inspect_events, rules);
	in->missing |= inspect_try(in, inspect_commands, rules);
	inspect_try(in, inspect_timers, rules);
	if (begins && door->document && door->event_count > 0)
		inspect_try(in, inspect_first, rules);
	door->meta_matters = reads_meta(in->program->sources.items[in->source].bytes);
	in->aggregate_count++;
}

void
inspect_aggregate(struct inspection *in)
{
	static const char *const fields[] = { "name",     "state_version", "initial", "events",  "retired",
					      "commands", "snapshot",      "timers",  "summary", NULL };
	inspect_state(in, fields);
}

void
inspect_document(struct inspection *in)
{
	static const char *const fields[] = { "name",     "document", "version", "upcast", "initial",
					      "commands", "timers",   "summary", NULL };
	struct script_aggregate *door = &in->aggregates[in->aggregate_count];
	door->document = true;
	door->snapshot_every = UINT32_MAX; /* its newest event is one */
	inspect_state(in, fields);
	door->snapshot_every = UINT32_MAX;
	door->meta_matters = false;
}

void
inspect_process(struct inspection *in)
{
	static const char *const fields[] = {
		"name",   "state_version", "initial",  "events", "retired",  "snapshot",  "timers", "summary", "react",
		"topics", "on_failure",    "attempts", "inbox",  "versions", "correlate", "starts", NULL
	};
	in->aggregates[in->aggregate_count].process = true;
	inspect_state(in, fields);
}
