/* SPDX-License-Identifier: MIT */
/* Checks of what reacts: handlers of messages, events and timers, whose process, and what becomes of failures. */
#include <lauxlib.h>

#include "script/lua/inspect.h"

#define HANDLERS_MAX 1000
#define TIMERS_MAX   100

/* ---- timers ---- */

struct timer_entry {
	struct slice name;
	struct moon_timer *timer;
	const struct script_aggregate *door;
};

/* What the timer does is on top: a command's name, or a process's function. */
static void
timer_entry(struct inspection *in, void *self)
{
	const struct timer_entry *entry = self;
	lua_State *L = in->L;
	struct slice command = SLICE_NONE;
	if (!inspect_name_ok(entry->name, STREAM_WORD_MAX))
		inspect_fail(in, entry->name.data, "'%s' cannot be a timer: letters, digits and _, a letter first",
			     entry->name.data);
	if (entry->door->process) {
		entry->timer->handle = inspect_handler(in, entry->name.data, true);
		return;
	}
	if (inspect_push(in, entry->name.data, LUA_TSTRING) == LUA_TSTRING)
		command.data = lua_tolstring(L, -1, &command.size);
	int found = script_find_command(entry->door, command);
	if (found < 0)
		inspect_absent(in, "no_such_command", entry->name.data,
			       "timer '%s': aggregate %s has no command '%.*s'", entry->name.data,
			       entry->door->name.data, SLICE_ARG(command));
	entry->timer->command = (uint16_t)found;
	lua_pop(L, 1);
}

void
inspect_timers(struct inspection *in, void *self)
{
	struct moon_aggregate *rules = self;
	lua_State *L = in->L;
	size_t count = 0;
	if (inspect_push(in, "timers", LUA_TTABLE) == LUA_TNIL) {
		lua_pop(L, 1);
		return;
	}
	const struct slice *names = inspect_keys(in, &count);
	if (count > TIMERS_MAX)
		inspect_fail(in, "timers", "more than %d timers", TIMERS_MAX);
	struct moon_timer *timers = inspect_alloc(in, count, sizeof *timers);
	inspect_enter(in, SLICE("timers"));
	for (size_t i = 0; i < count; i++) {
		struct timer_entry entry = { names[i], &timers[i], &in->aggregates[in->aggregate_count] };
		timers[i].name = names[i];
		inspect_try(in, timer_entry, &entry);
	}
	inspect_leave(in);
	lua_pop(L, 1);
	rules->timers = timers;
	rules->timer_count = count;
}

/* ---- what it hears ---- */

struct hearing {
	struct script_reactor *door;
	struct moon_reactor *rules;
	struct inspect_reach reach;
	struct slice *messages;
	struct moon_heard *heard; /* of messages, as `messages` */
	struct moon_heard *own;
	const struct slice *keys;
	size_t *place; /* of a key: index of its heard + 1, of messages or, with OWN_BIT, of own events */
	size_t key_count;
};

#define OWN_BIT ((size_t)1 << 32)

static size_t
dots_of(struct slice key)
{
	size_t dots = 0;
	for (size_t i = 0; i < key.size; i++)
		dots += key.data[i] == '.';
	return dots;
}

static bool
names_aggregate(const struct inspection *in, struct slice key)
{
	struct slice word = slice_from(key.data, (size_t)((const char *)memchr(key.data, '.', key.size) - key.data));
	for (size_t i = 0; i < in->aggregate_count; i++)
		if (slice_equal(in->aggregates[i].name, word))
			return true;
	return false;
}

/*
 * Is it an event of the own domain? Without topics everything is. With topics "aggregate.Event" of an aggregate here and
 * "domain.aggregate.Event" of this domain are; the rest are types of messages.
 */
static bool
is_own(const struct inspection *in, const struct hearing *hearing, struct slice key)
{
	struct slice domain = in->program->door.domain;
	size_t dots = dots_of(key);
	if (hearing->door->topic_count == 0)
		return true;
	if (dots == 1)
		return names_aggregate(in, key);
	return dots == 2 && key.size > domain.size && key.data[domain.size] == '.' &&
	       memcmp(key.data, domain.data, domain.size) == 0;
}

/* key = function, or { data = schema, handle = function } for messages. */
static void
read_handler(struct inspection *in, struct slice key, bool own, struct moon_heard *heard)
{
	static const char *const fields[] = { "data", "handle", NULL };
	lua_State *L = in->L;
	if (inspect_push(in, key.data, LUA_TNONE) != LUA_TTABLE) {
		lua_pop(L, 1);
		heard->handle = inspect_handler(in, key.data, true);
		return;
	}
	inspect_enter(in, key);
	inspect_fields(in, fields);
	heard->handle = inspect_handler(in, "handle", true);
	lua_pushliteral(L, "data");
	bool has_data = lua_rawget(L, -2) != LUA_TNIL;
	lua_pop(L, 1);
	if (has_data && own)
		inspect_fail(in, "data", "'data' is for messages: an event of the domain has its own schema");
	if (has_data)
		heard->data = inspect_fields_schema(in, "data");
	inspect_leave(in);
	lua_pop(L, 1);
}

struct react_entry {
	struct hearing *hearing;
	size_t key;
};

static void
react_entry(struct inspection *in, void *self)
{
	const struct react_entry *entry = self;
	struct hearing *hearing = entry->hearing;
	struct script_reactor *door = hearing->door;
	struct slice key = hearing->keys[entry->key];
	struct moon_heard heard = { 0 };
	bool own = is_own(in, hearing, key);
	if (key.size == 0 || key.size > ENTRY_TYPE_MAX)
		inspect_fail(in, NULL, "a type of messages has 1 to %d bytes", ENTRY_TYPE_MAX);
	read_handler(in, key, own, &heard);
	if (own) {
		hearing->reach.number = (uint32_t)door->event_count + 1;
		inspect_event_name(in, key, &hearing->reach);
		hearing->own[door->event_count++] = heard;
		hearing->place[entry->key] = door->event_count | OWN_BIT;
	} else {
		hearing->messages[door->message_count] = key;
		hearing->heard[door->message_count++] = heard;
		hearing->place[entry->key] = door->message_count;
	}
}

static void
inspect_react(struct inspection *in, void *self)
{
	struct hearing *hearing = self;
	lua_State *L = in->L;
	inspect_push(in, "react", LUA_TTABLE);
	hearing->keys = inspect_keys(in, &hearing->key_count);
	size_t count = hearing->key_count;
	if (count == 0 || count > HANDLERS_MAX)
		inspect_fail(in, "react", "'react' has 1 to %d handlers", HANDLERS_MAX);
	hearing->messages = inspect_alloc(in, count, sizeof *hearing->messages);
	hearing->heard = inspect_alloc(in, count, sizeof *hearing->heard);
	hearing->own = inspect_alloc(in, count, sizeof *hearing->own);
	hearing->place = inspect_alloc(in, count, sizeof *hearing->place);
	inspect_enter(in, SLICE("react"));
	for (size_t i = 0; i < count; i++) {
		struct react_entry entry = { hearing, i };
		inspect_try(in, react_entry, &entry);
	}
	inspect_leave(in);
	lua_pop(L, 1);
}

/* "aggregate.Event" of each event that has a handler, for those who read the log. */
static void
name_events(struct inspection *in, struct hearing *hearing)
{
	size_t count = 0, filled = 0;
	uint32_t *const *numbers = hearing->reach.numbers;
	for (int pass = 0; pass < 2; pass++) {
		struct slice *names = pass == 1 ? inspect_alloc(in, count, sizeof *names) : NULL;
		for (size_t a = 0; a < in->aggregate_count; a++)
			for (size_t e = 0; numbers[a] != NULL && e < in->aggregates[a].event_count; e++) {
				if (numbers[a][e] == 0)
					continue;
				count += pass == 0;
				if (pass == 0)
					continue;
				names[filled] = arena_format(in->arena, "%s.%s", in->aggregates[a].name.data,
							     in->aggregates[a].events[e].name.data);
				if (names[filled++].data == NULL)
					moon_fail(in->L, 0, FAULT_MEMORY, "memory", "no memory for names of events");
			}
		hearing->door->events = names;
	}
	hearing->door->event_count = count;
}

/* ---- whose process ---- */

static struct moon_heard *
heard_of(struct hearing *hearing, size_t key)
{
	size_t place = hearing->place[key], number = (place & ~OWN_BIT) - 1;
	if (place == 0)
		return NULL; /* broken, and told */
	return place & OWN_BIT ? &hearing->own[number] : &hearing->heard[number];
}

/* As ctx.c has it; of those that may be an id. */
static bool
meta_has(struct slice name, bool own)
{
	static const char *const event[] = { "id", "type", "stream", "stream_id", "version", "position", "time", NULL };
	static const char *const message[] = { "id",  "type", "source",         "subject",        "topic",
					       "key", "time", "stream_version", "correlation_id", NULL };

	for (const char *const *known = own ? event : message; *known != NULL; known++)
		if (slice_equal(slice_text(*known), name))
			return true;
	return false;
}

/* A text: a field of data, or "meta.field". */
static void
correlation_field(struct inspection *in, struct slice text, struct moon_heard *heard, bool own)
{
	struct slice meta = SLICE("meta.");
	heard->of_meta = text.size > meta.size && memcmp(text.data, meta.data, meta.size) == 0;
	if (heard->of_meta)
		text = slice_from(text.data + meta.size, text.size - meta.size);
	heard->field = inspect_keep(in, text);
	if (text.size == 0)
		inspect_fail(in, "correlate", "correlate is the name of a field of data, or \"meta.\" and one of meta");
	if (heard->of_meta && !meta_has(text, own))
		inspect_fail(in, "correlate", "the meta of %s has no '%s'",
			     own ? "the domain's own events" : "messages", heard->field.data);
}

struct correlate_entry {
	struct hearing *hearing;
	size_t key;
	struct slice otherwise; /* for what is not named; none: empty */
};

/* `correlate` is on top. */
static void
correlate_entry(struct inspection *in, void *self)
{
	const struct correlate_entry *entry = self;
	struct hearing *hearing = entry->hearing;
	struct moon_heard *heard = heard_of(hearing, entry->key);
	struct slice key = hearing->keys[entry->key], text = entry->otherwise;
	if (heard == NULL)
		return;
	int type = lua_istable(in->L, -1) ? inspect_push(in, key.data, LUA_TNONE) : (lua_pushnil(in->L), LUA_TNIL);
	if (type == LUA_TSTRING)
		text.data = lua_tolstring(in->L, -1, &text.size);
	lua_pop(in->L, 1);
	if (type == LUA_TFUNCTION)
		heard->correlate = inspect_handler(in, key.data, true);
	else if (type != LUA_TSTRING && type != LUA_TNIL)
		inspect_fail(in, key.data, "'%s' is a %s: a field of data, \"meta.\" and one of meta, or a function",
			     key.data, lua_typename(in->L, type));
	else if (text.size == 0)
		inspect_fail(in, NULL, "does not say which process '%s' is for", key.data);
	else
		correlation_field(in, text, heard, (hearing->place[entry->key] & OWN_BIT) != 0);
}

/* correlate = "field", or { "field", Type = "other" | function } */
static void
inspect_correlate(struct inspection *in, void *self)
{
	struct hearing *hearing = self;
	lua_State *L = in->L;
	struct slice otherwise = SLICE_NONE;
	int type = inspect_push(in, "correlate", LUA_TNONE);
	if (type == LUA_TTABLE)
		lua_rawgeti(L, -1, 1);
	else
		lua_pushvalue(L, -1);
	if (lua_type(L, -1) == LUA_TSTRING) {
		otherwise.data = lua_tolstring(L, -1, &otherwise.size);
		otherwise = inspect_keep(in, otherwise);
	}
	lua_pop(L, 1);
	if (type != LUA_TTABLE && type != LUA_TSTRING)
		inspect_fail(in, type == LUA_TNIL ? NULL : "correlate",
			     "'correlate' says which process hears: a field of data, or { Type = field }");
	inspect_enter(in, SLICE("correlate"));
	for (size_t i = 0; i < hearing->key_count; i++) {
		struct correlate_entry entry = { hearing, i, otherwise };
		inspect_try(in, correlate_entry, &entry);
	}
	inspect_leave(in);
	lua_pop(L, 1);
}

static void
inspect_starts(struct inspection *in, void *self)
{
	struct hearing *hearing = self;
	size_t count;
	const struct slice *starts = inspect_texts(in, "starts", HANDLERS_MAX, &count);
	if (count == 0)
		inspect_fail(in, NULL, "'starts' is missing: the list of what begins a process");
	for (size_t i = 0; i < count; i++) {
		size_t key = 0;
		while (key < hearing->key_count && !slice_equal(hearing->keys[key], starts[i]))
			key++;
		if (key == hearing->key_count)
			inspect_absent(in, "bad_rules", starts[i].data, "starts: 'react' has no '%s'", starts[i].data);
		struct moon_heard *heard = heard_of(hearing, key);
		if (heard != NULL)
			heard->starts = true;
	}
}

/* ---- the file ---- */

static void
inspect_name(struct inspection *in, void *self)
{
	struct script_reactor *door = self;
	door->name = inspect_text(in, "name");
	if (!stream_word_ok(door->name))
		inspect_fail(in, "name",
			     "a reactor's name is 1 to 63 lower-case letters, digits and _, a letter first");
	for (size_t i = 0; i < in->aggregate_count; i++)
		if (slice_equal(in->aggregates[i].name, door->name) && (int)i != door->aggregate)
			inspect_fail_as(in, "duplicate", "name", "'%s' is also an aggregate, in %s", door->name.data,
					in->program->sources.items[in->aggregate_rules[i].source].path.data);
	for (size_t i = 0; i < in->reactor_count; i++)
		if (slice_equal(in->reactors[i].name, door->name))
			inspect_fail_as(in, "duplicate", "name", "reactor '%s' is also in %s", door->name.data,
					in->program->sources.items[in->reactor_rules[i].source].path.data);
}

/* Which of the words the field says; the first when it is absent. */
static int
word_of(struct inspection *in, const char *field, const char *const words[3])
{
	struct slice text = inspect_text(in, field);
	for (int i = 0; i < 3; i++)
		if (text.data == NULL || slice_equal(text, slice_text(words[i])))
			return i;
	inspect_fail(in, field, "'%s' is \"%s\", \"%s\" or \"%s\"", field, words[0], words[1], words[2]);
}

static void
inspect_policy(struct inspection *in, void *self)
{
	static const char *const failures[] = { "park", "skip", "halt" }, *const versions[] = { "ignore", "hold",
												"skip" };
	struct script_reactor *door = self;
	door->topics = inspect_topics(in, &door->topic_count);
	door->failure = (enum react_failure)word_of(in, "on_failure", failures);
	door->versions = (enum react_versions)word_of(in, "versions", versions);
	door->attempts = (unsigned)inspect_integer(in, "attempts", 1, 1000, 0);
	door->inbox = inspect_push(in, "inbox", LUA_TBOOLEAN) == LUA_TNIL || lua_toboolean(in->L, -1);
	lua_pop(in->L, 1);
}

static int
process_of(const struct inspection *in)
{
	for (size_t i = 0; i < in->aggregate_count; i++)
		if (in->aggregates[i].process && in->aggregate_rules[i].source == in->source)
			return (int)i;
	return -1;
}

void
inspect_reactor(struct inspection *in)
{
	static const char *const fields[] = { "name",     "topics", "on_failure", "attempts", "inbox",
					      "versions", "react",  "summary",    NULL };
	struct script_reactor *door = &in->reactors[in->reactor_count];
	struct moon_reactor *rules = &in->reactor_rules[in->reactor_count];
	struct hearing hearing = { .door = door, .rules = rules };
	rules->source = in->source;
	door->aggregate = process_of(in);
	if (door->aggregate < 0)
		inspect_fields(in, fields);
	in->missing |= inspect_try(in, inspect_name, door);
	inspect_try(in, inspect_policy, door);
	hearing.reach = (struct inspect_reach){
		.numbers = inspect_alloc(in, in->aggregate_count, sizeof *hearing.reach.numbers), .what = "a reactor"
	};
	inspect_try(in, inspect_react, &hearing);
	if (door->topic_count > 0 && door->message_count == 0 && door->event_count > 0)
		inspect_note(in, FINDING_WARNING, "unheard_topics",
			     "'topics' are named, and no handler is for a message of them");
	if (door->aggregate >= 0) {
		inspect_try(in, inspect_correlate, &hearing);
		inspect_try(in, inspect_starts, &hearing);
	}
	name_events(in, &hearing);
	door->messages = hearing.messages;
	rules->messages = hearing.heard;
	rules->own = hearing.own;
	rules->events = (const uint32_t *const *)hearing.reach.numbers;
	in->reactor_count++;
}
