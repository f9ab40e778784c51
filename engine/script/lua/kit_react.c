/* SPDX-License-Identifier: MIT */
/*
 * `core` for specs of what reacts: one message, event or timer on a past, and what is decided about it. Virtual time is
 * the Lua side's: it knows which timers are pending and asks for them one by one.
 */
#include <lauxlib.h>

#include "script/lua/kit_core.h"

/* The message in the table at `at`. */
static struct react_message
read_message(lua_State *L, int at)
{
	struct react_message message = {
		.type = kit_field_text(L, at, "type"),
		.id = kit_field_text(L, at, "id"),
		.source = kit_field_text(L, at, "source"),
		.subject = kit_field_text(L, at, "subject"),
		.topic = kit_field_text(L, at, "topic"),
		.key = kit_field_text(L, at, "key"),
		.data = kit_field_text(L, at, "data"),
		.time_us = kit_read_time(L, at),
		.correlation_id = kit_field_text(L, at, "correlation_id"),
	};
	lua_getfield(L, at, "stream_version");
	message.stream_version = (stream_version)lua_tointeger(L, -1);
	lua_pop(L, 1);
	return message;
}

struct react_message *
kit_read_messages(lua_State *L, size_t *count)
{
	lua_getfield(L, 1, "messages");
	*count = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
	struct react_message *messages = arena_zero(&kit_of(L)->arena, *count + 1, sizeof *messages);
	if (messages == NULL)
		luaL_error(L, "no memory for %d messages", (int)*count);
	for (size_t i = 0; i < *count; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		messages[i] = read_message(L, lua_gettop(L));
		lua_pop(L, 1);
	}
	return messages;
}

/* Timers of a stream: { stream, timer, data } */
static void
read_timer(lua_State *L, const struct kit_domain *domain, struct react_request *request)
{
	struct slice stream = kit_field_text(L, 1, "stream");
	struct stream_name name;
	struct fault fault;
	int aggregate =
		stream_parse(stream, &name, &fault) == 0 ? script_find_aggregate(domain->program, name.aggregate) : -1;
	if (aggregate < 0)
		luaL_error(L, "no such stream: %s", stream.data != NULL ? stream.data : "?");
	request->cause = REACT_TIMER;
	request->aggregate = (uint16_t)aggregate;
	request->id = name.id;
	request->timer = kit_field_text(L, 1, "timer");
	request->data = kit_field_text(L, 1, "data");
}

/* What it hears: a message, the last event of the past, or a timer. */
static void
read_cause(lua_State *L, const struct kit_domain *domain, const struct kit_past *past,
	   const struct react_message *messages, size_t message_count, struct react_request *request)
{
	int reactor = script_find_reactor(domain->program, kit_field_text(L, 1, "reactor"));
	if (kit_field_text(L, 1, "timer").size > 0) {
		read_timer(L, domain, request);
		return;
	}
	if (reactor < 0 || (message_count == 0 && past->count == 0))
		luaL_error(L, "no such reactor, or nothing to hear");
	request->reactor = (uint16_t)reactor;
	request->cause = message_count > 0 ? REACT_MESSAGE : REACT_EVENT;
	request->message = messages;
	request->event = past->count > 0 ? &past->entries[past->count - 1] : NULL;
}

static void
give_reaction(lua_State *L, const struct decided *decided)
{
	lua_newtable(L);
	kit_set_text(L, "kind", SLICE("accepted"));
	kit_set_text(L, "code", decided->code);
	kit_set_text(L, "message", decided->message);
	lua_pushinteger(L, decided->refused);
	lua_setfield(L, -2, "refused");
	lua_createtable(L, (int)decided->stream_count, 0);
	for (size_t i = 0; i < decided->stream_count; i++) {
		lua_pushlstring(L, decided->streams[i].name.data, decided->streams[i].name.size);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "streams");
	kit_push_decided(L, decided);
}

/*
 * react { domain, reactor, events = past, messages = { one } } or, without messages, the past's last event; or
 * { domain, stream, timer, data, events = past }.
 */
int
kit_react(lua_State *L)
{
	struct kit *kit = kit_of(L);
	struct fault fault;
	struct decided decided;
	size_t message_count;
	luaL_checktype(L, 1, LUA_TTABLE);
	arena_clear(&kit->arena);
	const struct kit_domain *domain = kit_domain_named(L, kit_field_text(L, 1, "domain"));
	const struct kit_past past = kit_read_past(L, domain);
	const struct react_message *messages = kit_read_messages(L, &message_count);
	struct kit_streams streams = { domain, &past, false };
	struct react_request request = { .context = { .now_us = kit_read_time(L, 1),
						      .seed = { (uint64_t)kit_field_integer(L, "seed", 1), 2 } },
					 .loader = { kit_fold_stream, &streams } };
	read_cause(L, domain, &past, messages, message_count, &request);
	if (script_react(domain->machine, &request, &kit->arena, &decided, &fault) == 0) {
		give_reaction(L, &decided);
	} else {
		kit_give_fault(L, &fault);
		if (strcmp(fault.code, "retry") == 0) {
			lua_pushinteger(L, fault.native);
			lua_setfield(L, -2, "retry_ms");
		}
	}
	kit_release_states(domain, &decided);
	return 1;
}

/* micros { at = ISO 8601 } -> microseconds since 1970 */
int
kit_micros(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_pushinteger(L, kit_read_time(L, 1));
	return 1;
}
