/* SPDX-License-Identifier: MIT */
/*
 * Time as a function table, so that a seeded simulation can replace it. Nobody else calls clock_gettime or time.
 */
#ifndef MOONLOG_BASE_CLOCK_H
#define MOONLOG_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock {
	int64_t (*wall_us)(void *self); /* microseconds since 1970-01-01T00:00:00Z; may jump */
	int64_t (*mono_ns)(void *self); /* never goes back; origin unspecified */
	void *self;
};

const struct clock *clock_real(void);
static inline int64_t
clock_wall_us(const struct clock *clock)
{
	return clock->wall_us(clock->self);
}
static inline int64_t
clock_mono_ns(const struct clock *clock)
{
	return clock->mono_ns(clock->self);
}

/*
 * Whether the wall clock went another way than the monotonic one since the last look: by more than CLOCK_JUMP_US. Each
 * jump is told once, also one that goes back; `expected_us` is what the wall clock would show without it. The first
 * look tells nothing. A machine that slept looks like a jump.
 */
#define CLOCK_JUMP_US INT64_C(5000000)
struct clock_watch {
	bool looked;
	int64_t offset_us;
};
bool clock_jumped(struct clock_watch *watch, const struct clock *clock, int64_t *expected_us, int64_t *now_us);

/* The processor time of one thread, for others to read while it lives: clock_thread_self() in it, clock_thread_ns
 * elsewhere. */
int clock_thread_self(void);
int64_t clock_thread_ns(int thread_clock);

/* "2026-11-21T10:00:00.000000Z" (27 characters and NUL). */
#define CLOCK_TEXT_SIZE 28
void clock_format(int64_t wall_us, char text[CLOCK_TEXT_SIZE]);
/* ISO 8601 with Z or +hh:mm, date alone allowed, up to 6 decimals. Gives 0 or -1. */
int clock_parse(const char *text, int64_t *wall_us);

#endif
