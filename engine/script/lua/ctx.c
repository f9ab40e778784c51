/* SPDX-License-Identifier: MIT */
/*
 * Promises: `ctx` and `meta` are one object each a machine, and mean the call that runs now: outside of one
 * they raise, so keeping them is of no use. What is not deterministic comes from the call's context alone;
 * ctx:uuid and ctx:random continue one sequence from its seed, so the same command decides the same again.
 */
#include <lauxlib.h>
#include <stdio.h>

#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "script/lua/machine.h"

/* ---- chance ---- */

static uint64_t
mix(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t
rotate(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

/* xoshiro256** */
static uint64_t
draw(uint64_t s[4])
{
	uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

/* 0 .. range, each as likely as the other. */
static uint64_t
draw_below(uint64_t s[4], uint64_t range)
{
	if (range == UINT64_MAX)
		return draw(s);
	uint64_t span = range + 1, limit = UINT64_MAX - UINT64_MAX % span, got;
	do
		got = draw(s);
	while (got >= limit);
	return got % span;
}

/* ---- ctx ---- */

void
moon_ctx_begin(struct moon_machine *machine, const struct script_context *context)
{
	machine->ctx = (struct moon_ctx){ .active = true, .context = context };
	uint64_t first = context->seed[0], second = context->seed[1];
	machine->ctx.random[0] = mix(&first);
	machine->ctx.random[1] = mix(&first);
	machine->ctx.random[2] = mix(&second);
	machine->ctx.random[3] = mix(&second) | 1; /* never all zero */
}

void
moon_ctx_end(struct moon_machine *machine)
{
	machine->ctx = (struct moon_ctx){ 0 };
}

static struct moon_ctx *
ctx_now(lua_State *L, const char *name)
{
	struct moon_machine *machine = moon_machine_of(L);
	if (!machine->ctx.active)
		luaL_error(L, "ctx.%s outside of a call: ctx is of use only while the handler that got it runs", name);
	bool given = lua_gettop(L) > 0;
	lua_rawgeti(L, LUA_REGISTRYINDEX, machine->ctx_object);
	if (!given || !lua_rawequal(L, 1, -1))
		luaL_error(L, "ctx:%s needs the colon: ctx:%s(...)", name, name);
	lua_pop(L, 1);
	return &machine->ctx;
}

static int
ctx_time(lua_State *L)
{
	lua_pushinteger(L, ctx_now(L, "now")->context->now_us);
	return 1;
}

/* Version 7: rows and streams named by it arrive in the order of time, at the end of their index. */
void
moon_ctx_id(struct moon_machine *machine, char text[ID_TEXT_SIZE])
{
	struct moon_ctx *ctx = &machine->ctx;
	uint64_t words[2] = { draw(ctx->random), draw(ctx->random) };
	const struct id id = id_v7(ctx->context->now_us, (const uint8_t *)words);
	id_format(&id, text);
}

static int
ctx_uuid(lua_State *L)
{
	char text[ID_TEXT_SIZE];
	ctx_now(L, "uuid");
	moon_ctx_id(moon_machine_of(L), text);
	lua_pushstring(L, text);
	return 1;
}

static int
ctx_random(lua_State *L)
{
	struct moon_ctx *ctx = ctx_now(L, "random");
	if (lua_isnoneornil(L, 2)) {
		lua_pushnumber(L, (double)(draw(ctx->random) >> 11) * 0x1p-53);
		return 1;
	}
	lua_Integer low = luaL_checkinteger(L, 2), high = luaL_optinteger(L, 3, low);
	if (lua_isnoneornil(L, 3))
		low = 1;
	luaL_argcheck(L, low <= high, 2, "the interval is empty");
	lua_pushinteger(L, (lua_Integer)((uint64_t)low + draw_below(ctx->random, (uint64_t)high - (uint64_t)low)));
	return 1;
}

static int
ctx_log(lua_State *L)
{
	static const char *const levels[] = { "debug", "info", "warn", "error", NULL };
	static const int numbers[] = { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
	ctx_now(L, "log");
	const struct moon_machine *machine = moon_machine_of(L);
	int level = luaL_checkoption(L, 2, "info", levels);
	sandbox_tostring(L, 3);
	struct slice text;
	text.data = lua_tolstring(L, -1, &text.size);
	if (machine->options.say != NULL)
		machine->options.say(machine->options.say_self, numbers[level], machine->program->door.domain, text);
	return 0;
}

static struct deciding *
decision_now(lua_State *L, const char *name)
{
	struct deciding *decision = ctx_now(L, name)->decision;
	if (decision == NULL)
		luaL_error(L, "ctx:%s is for command handlers only", name);
	return decision;
}

/* The same where only the handler of a command will do, not one that reacts. */
static struct deciding *
command_now(lua_State *L, const char *name)
{
	struct deciding *decision = decision_now(L, name);
	if (!moon_decision_commands(decision))
		luaL_error(L, "ctx:%s is for command handlers only; what reacts returns actions", name);
	return decision;
}

static struct slice
text_argument(lua_State *L, int index)
{
	struct slice text;
	luaL_checktype(L, index, LUA_TSTRING);
	text.data = lua_tolstring(L, index, &text.size);
	return text;
}

static int
ctx_load(lua_State *L)
{
	struct deciding *decision = decision_now(L, "load");
	const struct moon_machine *machine = moon_machine_of(L);
	struct slice name = text_argument(L, 2), id = text_argument(L, 3);
	int aggregate = script_find_aggregate(&machine->program->door, name);
	if (aggregate < 0)
		return luaL_error(L, "ctx:load: the domain has no aggregate '%s'", name.data);
	if (!stream_id_ok(id))
		return luaL_error(L, "ctx:load: '%s' cannot be the id of a stream", id.data);
	moon_decision_load(L, decision, (uint16_t)aggregate, id);
	return 1;
}

static struct slice
option_text(lua_State *L, struct arena *arena, int index, const char *field)
{
	lua_pushstring(L, field);
	lua_rawget(L, index);
	struct slice text = SLICE_NONE;
	if (lua_type(L, -1) == LUA_TSTRING) {
		text.data = lua_tolstring(L, -1, &text.size);
		text = moon_keep(L, arena, text);
	} else if (!lua_isnil(L, -1)) {
		luaL_error(L, "ctx:reserve: '%s' is a %s, not a text", field, luaL_typename(L, -1));
	}
	lua_pop(L, 1);
	return text;
}

static int
reserve(lua_State *L, bool release)
{
	struct deciding *decision = command_now(L, release ? "release" : "reserve");
	struct arena *arena = moon_decision_arena(decision);
	struct slice name = text_argument(L, 2), key;
	if (lua_type(L, 3) != LUA_TNUMBER)
		luaL_checktype(L, 3, LUA_TSTRING);
	luaL_tolstring(L, 3, NULL);
	key.data = lua_tolstring(L, -1, &key.size);
	luaL_argcheck(L, name.size > 0 && name.size <= 100, 2, "the name has 1 to 100 characters");
	luaL_argcheck(L, key.size > 0 && key.size <= 500, 3, "the key has 1 to 500 bytes");
	luaL_argcheck(L, json_utf8(name), 2, "the name is not UTF-8");
	luaL_argcheck(L, json_utf8(key), 3, "the key is not UTF-8");
	struct reservation made = { .release = release,
				    .name = moon_keep(L, arena, name),
				    .key = moon_keep(L, arena, key),
				    .code = SLICE("already_taken") };
	if (!release && lua_type(L, 4) == LUA_TTABLE) {
		struct slice code = option_text(L, arena, 4, "code");
		if (code.size > 0)
			made.code = code;
		made.message = option_text(L, arena, 4, "message");
	}
	moon_decision_reserve(L, decision, &made);
	return 0;
}

static int
ctx_reserve(lua_State *L)
{
	return reserve(L, false);
}

static int
ctx_release(lua_State *L)
{
	return reserve(L, true);
}

/* ctx:timer(name, { after = seconds | at = microseconds, data = {...} }) */
static int
ctx_timer(lua_State *L)
{
	struct deciding *decision = command_now(L, "timer");
	struct slice name = text_argument(L, 2);
	luaL_checktype(L, 3, LUA_TTABLE);
	moon_decision_timer(L, decision, name, 3);
	return 0;
}

static int
ctx_cancel(lua_State *L)
{
	struct deciding *decision = command_now(L, "cancel");
	moon_decision_timer(L, decision, text_argument(L, 2), 0);
	return 0;
}

static void
push_slice(lua_State *L, struct slice text)
{
	lua_pushlstring(L, text.data != NULL ? text.data : "", text.size);
}

/* Upvalue 1: the methods. */
static int
ctx_index(lua_State *L)
{
	struct moon_machine *machine = moon_machine_of(L);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
	struct moon_ctx *ctx = ctx_now(L, name);
	if (strcmp(name, "settings") == 0)
		lua_rawgeti(L, LUA_REGISTRYINDEX, machine->settings);
	else if (strcmp(name, "caller") == 0)
		push_slice(L, ctx->context->caller);
	else if (strcmp(name, "correlation_id") == 0)
		push_slice(L, ctx->context->correlation_id);
	else if (strcmp(name, "id") == 0 && ctx->id.data != NULL)
		push_slice(L, ctx->id);
	else if (strcmp(name, "stream") == 0 && ctx->id.data != NULL)
		push_slice(L, ctx->stream);
	else if (strcmp(name, "version") == 0 && ctx->id.data != NULL)
		lua_pushinteger(L, (lua_Integer)ctx->version);
	else
		return luaL_error(L, "ctx has no '%s'%s", name, ctx->id.data == NULL ? " here" : "");
	return 1;
}

static int
refuse_change(lua_State *L)
{
	return luaL_error(L, "attempt to change a read-only object");
}

/* A userdata with __index from the top of the stack; gives its reference. */
static int
make_object(lua_State *L)
{
	lua_newuserdatauv(L, 0, 0);
	lua_createtable(L, 0, 3);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, refuse_change);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	int reference = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pop(L, 1);
	return reference;
}

void
moon_ctx_open(lua_State *L, struct moon_machine *machine)
{
	static const luaL_Reg methods[] = {
		{ "now", ctx_time },        { "uuid", ctx_uuid },
		{ "random", ctx_random },   { "log", ctx_log },
		{ "load", ctx_load },       { "reserve", ctx_reserve },
		{ "release", ctx_release }, { "timer", ctx_timer },
		{ "cancel", ctx_cancel },   { NULL, NULL },
	};
	luaL_newlib(L, methods);
	lua_pushcclosure(L, ctx_index, 1);
	machine->ctx_object = make_object(L);
}

/* ---- meta ---- */

struct slice
moon_stream_id(struct slice stream)
{
	const char *slash = memchr(stream.data, '/', stream.size);
	if (slash == NULL)
		return stream;
	return slice_from(slash + 1, (size_t)(stream.data + stream.size - slash) - 1);
}

static void
push_id(lua_State *L, const struct id *id)
{
	static const struct id none = { { 0 } };
	char text[ID_TEXT_SIZE];
	id_format(id != NULL ? id : &none, text);
	lua_pushstring(L, text);
}

/* What a message of others says of itself. */
static int
message_index(lua_State *L, const struct react_message *message, const char *name)
{
	const struct {
		const char *name;
		struct slice text;
	} texts[] = {
		{ "id", message->id },
		{ "type", message->type },
		{ "source", message->source },
		{ "subject", message->subject },
		{ "topic", message->topic },
		{ "key", message->key },
		{ "correlation_id", message->correlation_id },
	};
	for (size_t i = 0; i < countof(texts); i++)
		if (strcmp(texts[i].name, name) == 0) {
			push_slice(L, texts[i].text);
			return 1;
		}
	if (strcmp(name, "time") == 0)
		lua_pushinteger(L, message->time_us);
	else if (strcmp(name, "stream_version") == 0)
		lua_pushinteger(L, (lua_Integer)message->stream_version);
	else
		return luaL_error(L,
				  "meta of a message has no '%s': it has id, type, source, subject, topic, key, time, "
				  "stream_version, correlation_id",
				  name);
	return 1;
}

static int
meta_index(lua_State *L)
{
	struct moon_meta *meta = &moon_machine_of(L)->meta;
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
	if (!meta->active)
		return luaL_error(L, "meta.%s outside of the call that got meta", name);
	if (meta->message != NULL)
		return message_index(L, meta->message, name);
	bool of_commit = true;
	if (strcmp(name, "time") == 0)
		lua_pushinteger(L, meta->time_us);
	else if (strcmp(name, "position") == 0)
		lua_pushinteger(L, (lua_Integer)meta->position);
	else if (strcmp(name, "id") == 0)
		push_id(L, meta->id);
	else
		of_commit = false;
	if (of_commit) {
		meta->touched = true;
		return 1;
	}
	if (strcmp(name, "stream_id") == 0)
		push_slice(L, moon_stream_id(meta->stream));
	else if (strcmp(name, "version") == 0)
		lua_pushinteger(L, (lua_Integer)meta->version);
	else if (strcmp(name, "type") == 0)
		push_slice(L, meta->type);
	else if (strcmp(name, "stream") == 0)
		push_slice(L, meta->stream);
	else if (strcmp(name, "piece") == 0)
		lua_pushinteger(L, meta->piece != 0 ? meta->piece : 1);
	else if (strcmp(name, "pieces") == 0)
		lua_pushinteger(L, meta->pieces != 0 ? meta->pieces : 1);
	else
		return luaL_error(L,
				  "meta has no '%s': it has id, type, stream, stream_id, version, position, time, "
				  "piece, pieces",
				  name);
	return 1;
}

void
moon_meta_open(lua_State *L, struct moon_machine *machine)
{
	lua_pushcfunction(L, meta_index);
	machine->meta_object = make_object(L);
}

void
moon_reply_meta(lua_State *L, struct slice stream, struct slice id, stream_version version, log_position position)
{
	lua_createtable(L, 0, 4);
	push_slice(L, id);
	lua_setfield(L, -2, "id");
	push_slice(L, stream);
	lua_setfield(L, -2, "stream");
	lua_pushinteger(L, (lua_Integer)version);
	lua_setfield(L, -2, "version");
	if (position != 0) {
		lua_pushinteger(L, (lua_Integer)position);
		lua_setfield(L, -2, "position");
	}
}
