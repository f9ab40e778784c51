/* SPDX-License-Identifier: MIT */
/* The system's clocks, and times as ISO 8601 text in UTC (proleptic Gregorian calendar, years 0 to 9999). */
#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_SECOND   INT64_C(1000000)
#define SECONDS_PER_DAY 86400

static int64_t
real_wall_us(void *self)
{
	struct timespec now;

	(void)self;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

static int64_t
real_mono_ns(void *self)
{
	struct timespec now;

	(void)self;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

const struct clock *
clock_real(void)
{
	static const struct clock real = { real_wall_us, real_mono_ns, NULL };

	return &real;
}

bool
clock_jumped(struct clock_watch *watch, const struct clock *clock, int64_t *expected_us, int64_t *now_us)
{
	int64_t before_us = clock_mono_ns(clock) / 1000, after_us, offset_us = watch->offset_us;
	bool looked = watch->looked;

	*now_us = clock_wall_us(clock);
	after_us = clock_mono_ns(clock) / 1000;
	if (after_us - before_us > CLOCK_JUMP_US / 2)
		return false; /* the process stood still between the two: nothing can be said */
	watch->looked = true;
	watch->offset_us = *now_us - after_us;
	*expected_us = after_us + offset_us;
	return looked && (*now_us - *expected_us > CLOCK_JUMP_US || *expected_us - *now_us > CLOCK_JUMP_US);
}

int
clock_thread_self(void)
{
	clockid_t thread_clock;

	return pthread_getcpuclockid(pthread_self(), &thread_clock) == 0 ? thread_clock : CLOCK_MONOTONIC;
}

int64_t
clock_thread_ns(int thread_clock)
{
	struct timespec now = { 0 };

	clock_gettime(thread_clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Days since 1970-01-01 of a civil date, by counting years from March so that the leap day comes last. */
static int64_t
days_of(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	unsigned of_era = (unsigned)(year - era * 400);
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void
civil_of(int64_t days, int *year, unsigned *month, unsigned *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	unsigned of_era = (unsigned)(days - era * 146097);
	unsigned years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * years + years / 4 - years / 100);
	unsigned shifted = (5 * of_year + 2) / 153;

	*day = of_year - (153 * shifted + 2) / 5 + 1;
	*month = shifted < 10 ? shifted + 3 : shifted - 9;
	*year = (int)((int64_t)years + era * 400 + (*month <= 2));
}

/* Writes exactly `count` digits. */
static char *
put_digits(char *at, unsigned count, unsigned number)
{
	for (unsigned i = count; i > 0; i--, number /= 10)
		at[i - 1] = (char)('0' + number % 10);
	return at + count;
}

static char *
put_byte(char *at, char byte)
{
	*at = byte;
	return at + 1;
}

/* By hand: every answer and most messages carry a time, and a format costs ten times as much. */
void
clock_format(int64_t wall_us, char text[CLOCK_TEXT_SIZE])
{
	int64_t seconds = wall_us / US_PER_SECOND, micro = wall_us % US_PER_SECOND;
	unsigned month, day;
	int year;

	if (micro < 0) {
		micro += US_PER_SECOND;
		seconds--;
	}
	int64_t days = seconds / SECONDS_PER_DAY, rest = seconds % SECONDS_PER_DAY;
	if (rest < 0) {
		rest += SECONDS_PER_DAY;
		days--;
	}
	civil_of(days, &year, &month, &day);
	if (year < 0 || year > 9999) {
		snprintf(text, CLOCK_TEXT_SIZE,
			 year < 0 ? "0000-01-01T00:00:00.000000Z" : "9999-12-31T23:59:59.999999Z");
		return;
	}
	text = put_byte(put_digits(text, 4, (unsigned)year), '-');
	text = put_byte(put_digits(text, 2, month), '-');
	text = put_byte(put_digits(text, 2, day), 'T');
	text = put_byte(put_digits(text, 2, (unsigned)(rest / 3600)), ':');
	text = put_byte(put_digits(text, 2, (unsigned)(rest / 60 % 60)), ':');
	text = put_byte(put_digits(text, 2, (unsigned)(rest % 60)), '.');
	text = put_byte(put_digits(text, 6, (unsigned)micro), 'Z');
	*text = '\0';
}

/* Reads exactly `count` digits. */
static bool
digits(const char **text, unsigned count, unsigned *number)
{
	*number = 0;
	for (unsigned i = 0; i < count; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		*number = *number * 10 + (unsigned)(**text - '0');
	}
	return true;
}

static bool
mark(const char **text, char wanted)
{
	if (**text != wanted)
		return false;
	(*text)++;
	return true;
}

static bool
parse_date(const char **text, int64_t *days)
{
	static const unsigned lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year, month, day;

	if (!digits(text, 4, &year) || !mark(text, '-') || !digits(text, 2, &month) || !mark(text, '-') ||
	    !digits(text, 2, &day) || month < 1 || month > 12 || day < 1)
		return false;
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (day > lengths[month - 1] + (month == 2 && leap ? 1 : 0))
		return false;
	*days = days_of(year, month, day);
	return true;
}

static bool
parse_fraction(const char **text, unsigned *micro)
{
	unsigned scale = 100000;

	*micro = 0;
	if (**text != '.')
		return true;
	(*text)++;
	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; (*text)++, scale /= 10) {
		if (scale == 0)
			return false;
		*micro += (unsigned)(**text - '0') * scale;
	}
	return true;
}

static bool
parse_zone(const char **text, int64_t *seconds)
{
	unsigned hours, minutes;
	bool west = **text == '-';

	*seconds = 0;
	if (mark(text, 'Z'))
		return true;
	if (!west && **text != '+')
		return false;
	(*text)++;
	if (!digits(text, 2, &hours) || !mark(text, ':') || !digits(text, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*seconds = (int64_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return true;
}

int
clock_parse(const char *text, int64_t *wall_us)
{
	unsigned hour, minute, second, micro;
	int64_t days, zone;

	if (!parse_date(&text, &days))
		return -1;
	if (*text == '\0') {
		*wall_us = days * SECONDS_PER_DAY * US_PER_SECOND;
		return 0;
	}
	if (!mark(&text, 'T') || !digits(&text, 2, &hour) || !mark(&text, ':') || !digits(&text, 2, &minute) ||
	    !mark(&text, ':') || !digits(&text, 2, &second) || hour > 23 || minute > 59 || second > 59 ||
	    !parse_fraction(&text, &micro) || !parse_zone(&text, &zone) || *text != '\0')
		return -1;
	*wall_us = (days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - zone) * US_PER_SECOND + micro;
	return 0;
}
