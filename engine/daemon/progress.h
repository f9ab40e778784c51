/* SPDX-License-Identifier: MIT */
/* How far a long verb has come, on standard error: a bar on a terminal, else a plain line for every tenth. */
#ifndef MOONLOG_DAEMON_PROGRESS_H
#define MOONLOG_DAEMON_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *doing; /* "importing" */
	bool terminal;
	int64_t begun_ns;
	int64_t shown_ns;
	unsigned tenth; /* last one told */
};

void progress_begin(struct progress *progress, const char *doing);
/* `at` of `all` (0: not known), and how many entries. Cheap: looks at the clock now and then. */
void progress_show(struct progress *progress, uint64_t at, uint64_t all, uint64_t entries);
/* Takes the bar away. */
void progress_end(struct progress *progress);

#endif
