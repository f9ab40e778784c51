/* SPDX-License-Identifier: MIT */
#include "daemon/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/print.h"

#define BAR_WIDTH 30
#define SHOW_NS   100000000
#define QUIET_NS  1000000000 /* what is done by then needs no lines */

void
progress_begin(struct progress *progress, const char *doing)
{
	int64_t now = clock_mono_ns(clock_real());

	*progress = (struct progress){
		.doing = doing, .terminal = isatty(STDERR_FILENO) == 1, .begun_ns = now, .shown_ns = now
	};
}

static void
show_bar(const struct progress *progress, int64_t now, uint64_t at, uint64_t all, uint64_t entries)
{
	static const char full[] = "##############################", none[] = "..............................";
	uint64_t rate = entries * 1000 / ((uint64_t)((now - progress->begun_ns) / 1000000) + 1);
	int done = all != 0 ? (int)(at * BAR_WIDTH / all) : 0;

	if (all == 0)
		print_progress("%s: %llu entries, %llu/s", progress->doing, (unsigned long long)entries,
			       (unsigned long long)rate);
	else
		print_progress("%s [%.*s%.*s] %llu %%, %llu entries, %llu/s", progress->doing, done, full,
			       BAR_WIDTH - done, none, (unsigned long long)(at * 100 / all),
			       (unsigned long long)entries, (unsigned long long)rate);
}

void
progress_show(struct progress *progress, uint64_t at, uint64_t all, uint64_t entries)
{
	if (at > all && all != 0)
		at = all;
	if (progress->terminal) {
		int64_t now = clock_mono_ns(clock_real());
		if (now - progress->shown_ns < SHOW_NS)
			return;
		progress->shown_ns = now;
		show_bar(progress, now, at, all, entries);
	} else if (all != 0 && at * 10 / all > progress->tenth) {
		progress->tenth = (unsigned)(at * 10 / all);
		if (clock_mono_ns(clock_real()) - progress->begun_ns < QUIET_NS)
			return;
		fprintf(stderr, "%s: %u %%, %llu entries\n", progress->doing, progress->tenth * 10,
			(unsigned long long)entries);
	}
}

void
progress_end(struct progress *progress)
{
	if (progress->terminal)
		print_progress("%s", "");
}
