/* SPDX-License-Identifier: MIT */
/*
 * Promises: the actions that a handler returns are done in their order, whole or not at all. A command is decided as
 * if a client had sent it, on the state after the actions before it; a refusal is answered by the action's `refused`,
 * whose actions come at once, or counted. What an author got wrong (an unknown command, a field that does not exist) is
 * a fault that names the handler, not an action that vanishes.
 *
 * Bounds: 1000 actions, refusals of refusals 8 deep, streams and entries as a decision has them.
 */
#include "script/lua/react.h"

#include <lauxlib.h>
#include <stdio.h>

#include "base/log.h"

#define bad_action(L, r, ...) moon_fail((L), (r)->handler, FAULT_SCRIPT, "bad_result", __VA_ARGS__)

static void take_actions(lua_State *L, struct reacting *r, int index);

/* ---- commands ---- */

/* "aggregate.Command" */
static void
find_command(lua_State *L, const struct reacting *r, struct slice name, uint16_t *aggregate, uint16_t *command)
{
	const struct script_program *program = &r->d.machine->program->door;
	const char *dot = name.size > 0 ? memchr(name.data, '.', name.size) : NULL;
	int rules = dot != NULL ? script_find_aggregate(program, slice_from(name.data, (size_t)(dot - name.data))) : -1;
	int found = -1;
	if (rules >= 0)
		found = script_find_command(&program->aggregates[rules],
					    slice_from(dot + 1, (size_t)(name.data + name.size - dot) - 1));
	if (found < 0)
		bad_action(L, r, "the domain has no command '%s' (write \"aggregate.Command\")", name.data);
	*aggregate = (uint16_t)rules;
	*command = (uint16_t)found;
}

/* The id in field `id` of the table at `at`; a command that creates may go without. */
static struct slice
command_id(lua_State *L, struct reacting *r, int at, uint16_t aggregate, uint16_t command)
{
	const struct script_command *door = &r->d.machine->program->door.aggregates[aggregate].commands[command];
	char made[ID_TEXT_SIZE];
	struct slice id = SLICE_NONE;
	int type = moon_raw_field(L, at, "id");
	if (type == LUA_TNIL && door->creates) {
		moon_ctx_id(r->d.machine, made);
		id = slice_text(made);
	} else if (type == LUA_TSTRING || lua_isinteger(L, -1)) {
		id.data = lua_tolstring(L, -1, &id.size);
	}
	if (!stream_id_ok(id))
		bad_action(L, r, "command %s: id is the id of a stream: 1 to %d letters, digits and . _ ~ : @ -",
			   door->name.data, STREAM_ID_MAX);
	id = moon_keep(L, r->d.arena, id);
	lua_pop(L, 1);
	return id;
}

/* The action's data at `at`, checked and completed by the command's schema: pushes what its handler gets. */
static void
push_data(lua_State *L, struct reacting *r, int at, const struct moon_command *rule, struct slice name)
{
	struct moon_machine *machine = r->d.machine;
	const struct schema_context context = { .mode = SCHEMA_STORED, .currency = machine->program->currency };
	struct schema_trouble trouble;
	struct fault fault;
	buf_clear(&machine->scratch);
	if (schema_write(L, at, rule->data, &context, &machine->scratch, &trouble) != 0)
		bad_action(L, r, "command %s: %s%s%s", name.data, trouble.path, trouble.path[0] != '\0' ? ": " : "",
			   trouble.reason);
	if (json_read(L, buf_slice(&machine->scratch), NULL, &fault) != 0)
		moon_fail_fault(L, &fault);
}

/* Pushes a refusal of the engine's. */
static void
push_refusal(lua_State *L, const char *code, const char *message, int status)
{
	lua_createtable(L, 0, 3);
	lua_pushstring(L, code);
	lua_setfield(L, -2, "code");
	lua_pushstring(L, message);
	lua_setfield(L, -2, "message");
	lua_pushinteger(L, status);
	lua_setfield(L, -2, "status");
}

/* The data on top, popped. true: refused, and the refusal is pushed. */
static bool
run_command(lua_State *L, struct reacting *r, uint16_t aggregate, uint16_t command, struct slice id)
{
	const struct script_command *door = &r->d.machine->program->door.aggregates[aggregate].commands[command];
	const struct moon_command *rule = &r->d.machine->program->aggregates[aggregate].commands[command];
	int data = lua_gettop(L);
	luaL_checkstack(L, 30, "actions nested too deeply");
	push_data(L, r, data, rule, door->name);
	uint32_t number = moon_stream_use(L, &r->d, aggregate, id);
	bool there = moon_stream_exists(&r->d.streams[number]);
	if (!door->anywhere && door->creates == there) {
		push_refusal(L, there ? "stream_exists" : "no_such_stream",
			     there ? "the stream is there already" : "the stream is not there", there ? 409 : 404);
		lua_replace(L, data);
		lua_settop(L, data);
		moon_react_face(r);
		return true;
	}
	lua_insert(L, -2);
	moon_command_run(L, &r->d, rule, number);
	moon_react_face(r);
	int refusal = lua_isnil(L, data + 1) ? data + 2 : data + 3;
	bool refused = !lua_isnil(L, refusal);
	if (refused) {
		struct moon_refusal ignored;
		moon_refusal_read(L, refusal, rule->handle, &ignored, NULL);
		lua_pushvalue(L, refusal);
		lua_replace(L, data);
	}
	lua_settop(L, refused ? data : data - 1);
	return refused;
}

/* The refusal on top, popped: nobody answers it. */
static void
count_refusal(lua_State *L, struct reacting *r, uint16_t aggregate, uint16_t command, struct slice id)
{
	struct moon_machine *machine = r->d.machine;
	const struct script_aggregate *door = &machine->program->door.aggregates[aggregate];
	struct moon_refusal refusal;
	char text[600];
	moon_refusal_read(L, lua_gettop(L), r->handler, &refusal, NULL);
	int size = snprintf(text, sizeof text, "%.*s.%.*s of %.*s was refused: %.*s%s%.*s", SLICE_ARG(door->name),
			    SLICE_ARG(door->commands[command].name), SLICE_ARG(id), SLICE_ARG(refusal.code),
			    refusal.message.size > 0 ? ": " : "", SLICE_ARG(refusal.message));
	if (machine->options.say != NULL)
		machine->options.say(machine->options.say_self, LOG_WARN, machine->program->door.domain,
				     slice_from(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1));
	r->d.out->refused++;
	r->d.out->code = moon_keep(L, r->d.arena, refusal.code);
	r->d.out->message = moon_keep(L, r->d.arena, refusal.message);
	lua_pop(L, 1);
}

void
moon_react_command(lua_State *L, struct reacting *r, uint16_t aggregate, uint16_t command, struct slice id)
{
	if (run_command(L, r, aggregate, command, id))
		count_refusal(L, r, aggregate, command, id);
}

static struct slice
action_text(lua_State *L, const struct reacting *r, int at, const char *field)
{
	struct slice text = SLICE_NONE;
	if (moon_raw_field(L, at, field) != LUA_TSTRING)
		bad_action(L, r, "an action's %s is a %s, not a text", field, luaL_typename(L, -1));
	text.data = lua_tolstring(L, -1, &text.size);
	lua_pop(L, 1); /* the action keeps it */
	return text;
}

/* Pushes field `data` of the action, or an empty table. */
static void
push_action_data(lua_State *L, int at)
{
	if (moon_raw_field(L, at, "data") != LUA_TNIL)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
}

static void
take_command(lua_State *L, struct reacting *r, int at)
{
	static const char *const fields[] = { "command", "id", "data", "refused", NULL };
	uint16_t aggregate, command;
	moon_take_fields(L, r->handler, at, "an action with 'command'", fields);
	find_command(L, r, action_text(L, r, at, "command"), &aggregate, &command);
	struct slice id = command_id(L, r, at, aggregate, command);
	int refused = moon_raw_field(L, at, "refused");
	if (refused != LUA_TNIL && refused != LUA_TFUNCTION)
		bad_action(L, r, "an action's refused is a %s, not a function", lua_typename(L, refused));
	push_action_data(L, at);
	if (!run_command(L, r, aggregate, command, id))
		return;
	if (refused == LUA_TNIL) {
		count_refusal(L, r, aggregate, command, id);
		return;
	}
	if (++r->depth > REACT_DEPTH_MAX)
		bad_action(L, r, "refusals of actions that answer refusals, more than %d deep", REACT_DEPTH_MAX);
	int first = lua_gettop(L) - 1; /* refused, refusal */
	lua_call(L, 1, 2);
	if (r->d.machine->hard.class != FAULT_NONE)
		moon_fail_fault(L, &r->d.machine->hard);
	moon_react_take(L, r, first);
	r->depth--;
}

/* ---- messages ---- */

/* The stream that a reactor's messages belong to, and their key where they say none. */
static void
message_place(lua_State *L, struct reacting *r, struct moon_taking *taking)
{
	static const struct slice nobody = SLICE("-");
	const struct react_request *request = r->request;
	if (r->process >= 0) {
		taking->stream = r->own;
		return;
	}
	struct slice key = nobody;
	if (request->cause == REACT_MESSAGE)
		key = request->message->key.size > 0 ? request->message->key : request->message->subject;
	else if (request->cause == REACT_EVENT)
		key = moon_stream_id(request->event->stream);
	struct slice id = stream_id_ok(key) ? key : nobody;
	if (key.size > 0 && key.size <= MESSAGE_KEY_MAX && !slice_equal(key, id))
		taking->key = moon_keep(L, r->d.arena, key);
	taking->stream = moon_stream_plain(L, &r->d, r->d.machine->program->door.reactors[request->reactor].name, id);
}

static void
take_message(lua_State *L, struct reacting *r, int at)
{
	struct moon_taking taking = { .handler = r->handler, .name = "message" };
	message_place(L, r, &taking);
	lua_pushvalue(L, at);
	moon_take_message(L, &r->d, &taking);
}

/* ---- what only processes do ---- */

static void
only_process(lua_State *L, const struct reacting *r, const char *what)
{
	if (r->process < 0)
		bad_action(L, r, "'%s' is for process managers: a reactor has no stream of its own", what);
}

static void
take_timer(lua_State *L, struct reacting *r, int at)
{
	static const char *const fields[] = { "timer", "after", "at", "data", NULL };
	size_t from = r->d.timer_count;
	only_process(L, r, "timer");
	moon_take_fields(L, r->handler, at, "an action with 'timer'", fields);
	moon_timer_add(L, &r->d, r->own, action_text(L, r, at, "timer"), at);
	moon_timers_take(L, &r->d, from);
}

static void
take_cancel(lua_State *L, struct reacting *r, int at)
{
	static const char *const fields[] = { "cancel", NULL };
	size_t from = r->d.timer_count;
	only_process(L, r, "cancel");
	moon_take_fields(L, r->handler, at, "an action with 'cancel'", fields);
	moon_timer_add(L, &r->d, r->own, action_text(L, r, at, "cancel"), 0);
	moon_timers_take(L, &r->d, from);
}

static void
take_event(lua_State *L, struct reacting *r, int at)
{
	static const char *const fields[] = { "event", "data", NULL };
	const struct moon_program *program = r->d.machine->program;
	only_process(L, r, "event");
	moon_take_fields(L, r->handler, at, "an action with 'event'", fields);
	struct slice name = action_text(L, r, at, "event");
	int event = moon_event_find(program, (uint16_t)r->process, name);
	if (event < 0 || program->aggregates[r->process].events[event].own != OWN_NONE)
		bad_action(L, r, "%s declares no event '%s'", program->door.aggregates[r->process].name.data,
			   name.data);
	push_action_data(L, at);
	moon_take_event(L, &r->d, r->own, (uint16_t)event);
}

void
moon_react_own(lua_State *L, struct reacting *r, enum moon_own own)
{
	const struct moon_program *program = r->d.machine->program;
	const struct script_aggregate *door = &program->door.aggregates[r->process];
	uint16_t event = 0;
	while (program->aggregates[r->process].events[event].own != own)
		must(++event < door->event_count);
	moon_take_event(L, &r->d, r->own, event);
}

/* { compensate = { command, id, data } }: kept in the process's stream until `undo`. */
static void
take_compensate(lua_State *L, struct reacting *r, int at)
{
	static const char *const fields[] = { "compensate", NULL };
	static const char *const inner[] = { "command", "id", "data", NULL };
	uint16_t aggregate, command;
	only_process(L, r, "compensate");
	moon_take_fields(L, r->handler, at, "an action with 'compensate'", fields);
	if (moon_raw_field(L, at, "compensate") != LUA_TTABLE)
		bad_action(L, r, "compensate is a %s, not { command = ..., id = ..., data = ... }",
			   luaL_typename(L, -1));
	int what = lua_gettop(L);
	moon_take_fields(L, r->handler, what, "compensate", inner);
	struct slice name = action_text(L, r, what, "command");
	find_command(L, r, name, &aggregate, &command);
	struct slice id = command_id(L, r, what, aggregate, command);
	push_action_data(L, what);
	push_data(L, r, lua_gettop(L), &r->d.machine->program->aggregates[aggregate].commands[command], name);
	lua_createtable(L, 0, 3);
	lua_insert(L, -2);
	lua_setfield(L, -2, "data");
	lua_pushlstring(L, name.data, name.size);
	lua_setfield(L, -2, "command");
	lua_pushlstring(L, id.data, id.size);
	lua_setfield(L, -2, "id");
	moon_react_own(L, r, OWN_PUSHED);
}

/* Runs the compensation on top, popped. */
static void
compensate(lua_State *L, struct reacting *r)
{
	uint16_t aggregate, command;
	int what = lua_gettop(L);
	find_command(L, r, action_text(L, r, what, "command"), &aggregate, &command);
	struct slice id = command_id(L, r, what, aggregate, command);
	push_action_data(L, what);
	moon_react_command(L, r, aggregate, command, id);
	lua_settop(L, what - 1);
}

static bool
is_true(lua_State *L, const struct reacting *r, int at, const char *field)
{
	const char *const fields[] = { field, NULL };
	only_process(L, r, field);
	moon_take_fields(L, r->handler, at, "such an action", fields);
	moon_raw_field(L, at, field);
	bool is = lua_isboolean(L, -1) && lua_toboolean(L, -1);
	lua_pop(L, 1);
	return is;
}

/* { undo = true }: what was pushed, last first. */
static void
take_undo(lua_State *L, struct reacting *r, int at)
{
	uint32_t refused = r->d.out->refused;
	lua_Integer count = 0;
	if (!is_true(L, r, at, "undo"))
		bad_action(L, r, "undo is `true`");
	moon_state_push(L, r->d.machine, r->d.streams[r->own].state);
	if (moon_raw_field(L, -1, MOON_PROCESS) == LUA_TTABLE && moon_raw_field(L, -1, "compensations") == LUA_TTABLE)
		count = (lua_Integer)lua_rawlen(L, -1);
	int list = lua_gettop(L);
	for (lua_Integer i = count; i > 0; i--) {
		lua_rawgeti(L, list, i);
		compensate(L, r);
	}
	if (count == 0)
		return;
	lua_createtable(L, 0, 2);
	lua_pushinteger(L, count);
	lua_setfield(L, -2, "count");
	lua_pushinteger(L, r->d.out->refused - refused);
	lua_setfield(L, -2, "refused");
	moon_react_own(L, r, OWN_UNDONE);
}

/* { complete = true }: it hears nothing more, and its timers go. */
static void
take_complete(lua_State *L, struct reacting *r, int at)
{
	const struct moon_aggregate *rules;
	size_t from = r->d.timer_count;
	if (!is_true(L, r, at, "complete"))
		bad_action(L, r, "complete is `true`");
	lua_newtable(L);
	moon_react_own(L, r, OWN_COMPLETED);
	rules = &r->d.machine->program->aggregates[r->process];
	for (size_t i = 0; i < rules->timer_count; i++)
		moon_timer_add(L, &r->d, r->own, rules->timers[i].name, 0);
	moon_timers_take(L, &r->d, from);
}

/* ---- the list ---- */

static void
take_action(lua_State *L, struct reacting *r, int at)
{
	static const struct {
		const char *field;
		void (*take)(lua_State *L, struct reacting *r, int at);
	} kinds[] = {
		{ "command", take_command }, { "message", take_message },   { "timer", take_timer },
		{ "cancel", take_cancel },   { "event", take_event },       { "compensate", take_compensate },
		{ "undo", take_undo },       { "complete", take_complete },
	};
	if (lua_type(L, at) != LUA_TTABLE)
		bad_action(L, r, "an action is a %s, not a table", luaL_typename(L, at));
	if (++r->actions > REACT_ACTIONS_MAX)
		bad_action(L, r, "more than %d actions", REACT_ACTIONS_MAX);
	for (size_t i = 0; i < countof(kinds); i++) {
		bool is = moon_raw_field(L, at, kinds[i].field) != LUA_TNIL;
		lua_pop(L, 1);
		if (!is)
			continue;
		kinds[i].take(L, r, at);
		r->d.machine->meta = r->meta; /* a fold had it */
		return;
	}
	bad_action(
		L, r,
		"an action has one of command, message, timer, cancel, event, compensate, undo, complete: this one has "
		"none of them");
}

static void
take_actions(lua_State *L, struct reacting *r, int index)
{
	lua_Integer count = moon_take_list(L, r->handler, index, "actions");
	luaL_checkstack(L, 30, "actions nested too deeply");
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, index, i);
		take_action(L, r, lua_gettop(L));
		lua_settop(L, index + 1);
	}
	moon_check_states(L, &r->d);
}

/* nil, { retry = seconds } */
static void
take_retry(lua_State *L, struct reacting *r, int index)
{
	static const char *const fields[] = { "retry", "message", NULL };
	struct fault fault;
	if (lua_type(L, index) != LUA_TTABLE)
		bad_action(L, r, "with nil goes { retry = seconds }, not a %s", luaL_typename(L, index));
	moon_take_fields(L, r->handler, index, "what goes with nil", fields);
	moon_raw_field(L, index, "retry");
	lua_Number seconds = lua_tonumber(L, -1);
	if (lua_type(L, -1) != LUA_TNUMBER || !(seconds >= 0) || seconds > 86400)
		bad_action(L, r, "retry is a number of seconds, at most a day");
	const char *text = moon_raw_field(L, index, "message") == LUA_TSTRING ? lua_tostring(L, -1) : "";
	fault_set(&fault, FAULT_SCRIPT, "retry", "wants to be called again in %g s%s%s", seconds,
		  text[0] != '\0' ? ": " : "", text);
	fault.native = (int)(seconds * 1000);
	moon_fail_fault(L, &fault);
}

void
moon_react_take(lua_State *L, struct reacting *r, int index)
{
	lua_settop(L, index + 1);
	if (!lua_isnil(L, index))
		take_actions(L, r, index);
	else if (!lua_isnil(L, index + 1))
		take_retry(L, r, index + 1);
}
