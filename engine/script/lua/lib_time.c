/* SPDX-License-Identifier: MIT */
/*
 * time for scripts: integer microseconds since 1970 in UTC, ISO 8601 text, and the calendar between. Pure: no clock, no
 * time zones. Adding months keeps the day where the month has it and takes its last day otherwise.
 */
#include <lauxlib.h>

#include "base/clock.h"
#include "base/slice.h"
#include "script/lua/lib.h"

#define SECOND ((int64_t)1000000)
#define DAY    (86400 * SECOND)
/* Years 0001 to 9999: what ISO 8601 text can hold. */
#define TIME_MIN (-62135596800 * SECOND)
#define TIME_MAX (253402300800 * SECOND - 1)

struct date {
	int64_t year;
	int64_t month; /* 1..12 */
	int64_t day;   /* 1..31 */
};

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}

/* Days since 1970 of a date in the Gregorian calendar, by counting years from March. */
static int64_t
days_from_date(struct date date)
{
	int64_t year = date.year - (date.month <= 2);
	int64_t era = floor_div(year, 400), year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static struct date
date_from_days(int64_t days)
{
	days += 719468;
	int64_t era = floor_div(days, 146097), day_of_era = days - era * 146097;
	int64_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100), shifted = (5 * day_of_year + 2) / 153;
	struct date date = { .year = year + era * 400, .day = day_of_year - (153 * shifted + 2) / 5 + 1 };
	date.month = shifted < 10 ? shifted + 3 : shifted - 9;
	date.year += date.month <= 2;
	return date;
}

static int64_t
month_length(int64_t year, int64_t month)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return lengths[month - 1] + (month == 2 && leap);
}

static int64_t
check_time(lua_State *L, int index)
{
	lua_Integer time = luaL_checkinteger(L, index);
	luaL_argcheck(L, time >= TIME_MIN && time <= TIME_MAX, index, "time outside of the years 1 to 9999");
	return time;
}

int
lib_time_parse(lua_State *L)
{
	int64_t time;
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);
	if (strlen(text) == size && clock_parse(text, &time) == 0) {
		lua_pushinteger(L, time);
		return 1;
	}
	lua_pushnil(L);
	lua_pushliteral(L, "not an ISO 8601 time");
	return 2;
}

int
lib_time_format(lua_State *L)
{
	char text[CLOCK_TEXT_SIZE];
	clock_format(check_time(L, 1), text);
	lua_pushstring(L, text);
	return 1;
}

static void
set_integer(lua_State *L, const char *name, int64_t value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, name);
}

int
lib_time_date(lua_State *L)
{
	int64_t time = check_time(L, 1), days = floor_div(time, DAY), rest = time - days * DAY;
	struct date date = date_from_days(days);
	lua_createtable(L, 0, 8);
	set_integer(L, "year", date.year);
	set_integer(L, "month", date.month);
	set_integer(L, "day", date.day);
	set_integer(L, "hour", rest / (3600 * SECOND));
	set_integer(L, "minute", rest / (60 * SECOND) % 60);
	set_integer(L, "second", rest / SECOND % 60);
	set_integer(L, "microsecond", rest % SECOND);
	set_integer(L, "weekday", ((days + 3) % 7 + 7) % 7 + 1); /* ISO: Monday is 1 */
	return 1;
}

/* Far more than fits between the years 1 and 9999 in any unit, far less than overflows. */
#define AMOUNT_MAX ((int64_t)400000000000)

static int64_t
amount(lua_State *L, const char *name)
{
	lua_getfield(L, 2, name);
	int exact = 1;
	lua_Integer value = lua_isnil(L, -1) ? 0 : lua_tointegerx(L, -1, &exact);
	if (!exact || value > AMOUNT_MAX || value < -AMOUNT_MAX)
		luaL_error(L, "time.add: %s must be an integer of at most 4e11", name);
	lua_pop(L, 1);
	return value;
}

static int64_t
add_months(int64_t time, int64_t months)
{
	int64_t days = floor_div(time, DAY), rest = time - days * DAY;
	struct date date = date_from_days(days);
	int64_t count = date.year * 12 + date.month - 1 + months;
	date.year = floor_div(count, 12);
	date.month = count - date.year * 12 + 1;
	int64_t length = month_length(date.year, date.month);
	if (date.day > length)
		date.day = length;
	return days_from_date(date) * DAY + rest;
}

int
lib_time_add(lua_State *L)
{
	static const struct {
		const char *name;
		int64_t size;
	} units[] = { { "weeks", 7 * DAY },       { "days", DAY },       { "hours", 3600 * SECOND },
		      { "minutes", 60 * SECOND }, { "seconds", SECOND }, { "milliseconds", 1000 },
		      { "microseconds", 1 } };
	int64_t time = check_time(L, 1), sum;
	luaL_checktype(L, 2, LUA_TTABLE);
	int64_t months = amount(L, "months") + 12 * amount(L, "years");
	bool fits = months > -120000 && months < 120000;
	if (fits && months != 0)
		time = add_months(time, months);
	for (size_t i = 0; fits && i < countof(units); i++)
		fits = !__builtin_mul_overflow(amount(L, units[i].name), units[i].size, &sum) &&
		       !__builtin_add_overflow(time, sum, &time);
	if (!fits || time < TIME_MIN || time > TIME_MAX)
		return luaL_error(L, "time.add: the result lies outside of the years 1 to 9999");
	lua_pushinteger(L, time);
	return 1;
}
