/* SPDX-License-Identifier: MIT */
/*
 * Timers that a decision sets, moves and cancels: each is an entry of its stream in the same commit, {"at":
 * microseconds, "data": {...}} or {"cancel": true} [I3]. Setting one of a name again moves it.
 */
#include <lauxlib.h>

#include "script/lua/decide.h"

#define bad_timer(L, d, ...) moon_fail((L), moon_decision_place(d), FAULT_SCRIPT, "bad_result", __VA_ARGS__)

#define AFTER_MAX_S ((int64_t)100 * 366 * 86400)

static int64_t
read_when(lua_State *L, struct deciding *d, struct slice name, int index)
{
	int64_t due_us;
	int after = moon_raw_field(L, index, "after"), at = moon_raw_field(L, index, "at");
	if ((after == LUA_TNIL) == (at == LUA_TNIL))
		bad_timer(L, d, "timer %s: either after = seconds or at = microseconds", name.data);
	if (at != LUA_TNIL) {
		due_us = lua_tointeger(L, -1);
		if (!lua_isinteger(L, -1) || due_us < 0)
			bad_timer(L, d, "timer %s: at is a time in microseconds", name.data);
	} else {
		lua_Number seconds = lua_tonumber(L, -2);
		if (after != LUA_TNUMBER || !(seconds >= 0) || seconds > (lua_Number)AFTER_MAX_S)
			bad_timer(L, d, "timer %s: after is a number of seconds, at most a hundred years", name.data);
		due_us = d->context->now_us + (int64_t)(seconds * 1000000);
	}
	lua_pop(L, 2);
	return due_us;
}

static struct slice
read_data(lua_State *L, struct deciding *d, struct slice name, int index)
{
	struct buf *scratch = &d->machine->scratch;
	struct fault fault;
	if (moon_raw_field(L, index, "data") == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	if (lua_type(L, -1) != LUA_TTABLE)
		bad_timer(L, d, "timer %s: data is a %s, not a table", name.data, luaL_typename(L, -1));
	buf_clear(scratch);
	if (json_write(L, -1, scratch, NULL, &fault) != 0)
		bad_timer(L, d, "timer %s: data: %s", name.data, fault.text);
	lua_pop(L, 1);
	return moon_keep(L, d->arena, buf_slice(scratch));
}

void
moon_timer_add(lua_State *L, struct deciding *d, uint32_t stream, struct slice name, int index)
{
	struct decided_timer timer = { .stream = stream, .name = name, .cancel = index == 0 };
	const struct moon_aggregate *rules = &d->machine->program->aggregates[d->streams[stream].aggregate];
	const struct moon_timer *declared = moon_timer_find(rules, name);
	if (declared == NULL)
		bad_timer(L, d, "%s declares no timer '%s'",
			  d->machine->program->door.aggregates[d->streams[stream].aggregate].name.data, name.data);
	timer.name = declared->name;
	if (index != 0) {
		timer.due_us = read_when(L, d, name, index);
		timer.data = read_data(L, d, name, index);
	}
	if (d->timer_count == APPEND_ENTRY_MAX)
		bad_timer(L, d, "a decision sets more than %d timers", APPEND_ENTRY_MAX);
	d->timers = moon_grow(L, d->arena, d->timers, d->timer_count, &d->timer_room, sizeof *d->timers);
	d->timers[d->timer_count++] = timer;
}

void
moon_decision_timer(lua_State *L, struct deciding *d, struct slice name, int index)
{
	static const char *const fields[] = { "after", "at", "data", NULL };
	if (index != 0)
		moon_take_fields(L, d->handler, index, "a timer", fields);
	moon_timer_add(L, d, d->own, name, index);
}

void
moon_timers_take(lua_State *L, struct deciding *d, size_t from)
{
	struct buf *scratch = &d->machine->scratch;
	for (size_t i = from; i < d->timer_count; i++) {
		const struct decided_timer *timer = &d->timers[i];
		buf_clear(scratch);
		if (timer->cancel)
			buf_text(scratch, "{\"cancel\":true}");
		else
			buf_format(scratch, "{\"at\":%lld,\"data\":%.*s}", (long long)timer->due_us,
				   SLICE_ARG(timer->data));
		struct slice data = moon_keep(L, d->arena, buf_slice(scratch));
		struct new_entry *entry = moon_add_entry(L, d, data.size);
		entry->kind = ENTRY_TIMER;
		entry->stream = timer->stream;
		entry->type = timer->name;
		entry->data = data;
	}
}
