/* SPDX-License-Identifier: MIT */
/*
 * Durable timers: entries of the log that a decision wrote, and beside them, in the same commit, what is pending:
 *
 *   space "timer/<domain>"      key <stream>#<name>                        -> <20 digits of due>, a space, data
 *   space "timer_due/<domain>"  key <20 digits of due>/<stream>#<name>     -> empty
 *
 * The second is an index: the next that is due is its first row, however many are pending. A timer that is moved or
 * cancelled leaves its old row behind, which is dropped when it is met. A timer fires in the append that removes it,
 * by comparison with the value that was read, so it fires once.
 *
 * Due times are of the timers' clock: it begins at the wall clock's time, or at the last recorded time when that is
 * later, and runs on with the monotonic clock, so that a wall clock that jumps moves no timer.
 */
#ifndef MOONLOG_CORE_TIMER_H
#define MOONLOG_CORE_TIMER_H

#include "base/clock.h"
#include "script/decision.h"
#include "store/store.h"

struct timer_clock {
	const struct clock *clock;
	int64_t base_us;
	int64_t base_ns;
};

/* Starts now. Fails: as reading the end of the log. */
int timer_clock_open(struct timer_clock *timers, struct store *store, const struct clock *clock, struct fault *fault);
/* Any thread. */
int64_t timer_clock_now(const struct timer_clock *timers);

/* Writes per decided timer. */
#define TIMER_RECORDS 2

/*
 * The records of what a decision set and cancelled, `TIMER_RECORDS * decided->timer_count` at most. `skew_us` is added
 * to due times: what the timers' clock is before the one that the decision saw (timer_skew).
 */
int timer_records(struct slice domain, const struct decided *decided, int64_t skew_us, struct arena *arena,
		  struct record_write *records, size_t *count, struct fault *fault);
/* How far the timers' clock is before the wall clock; less than a second is none. `timers` may be NULL. */
int64_t timer_skew(const struct timer_clock *timers);

/* ---- pending ones, read from the store ---- */

struct timer {
	struct slice key; /* <stream>#<name> */
	struct slice stream;
	struct slice name;
	struct slice data;
	struct slice value; /* the record */
	int64_t due_us;
};

struct slice timer_space(struct slice domain, struct arena *arena);
struct slice timer_due_space(struct slice domain, struct arena *arena);
/* Of a record of "timer/<domain>". false: it is none. */
bool timer_parse(const struct record *record, struct timer *timer);

#endif
