/* SPDX-License-Identifier: MIT */
/*
 * What rules say (`print`, `ctx:log`) becomes lines of the log: so many a second of one domain, each of bounded length,
 * so that a loop that says something does not fill the disk. What is more is left out, and a line tells so.
 *
 * Thread: any.
 */
#ifndef MOONLOG_CORE_SAYING_H
#define MOONLOG_CORE_SAYING_H

#include <stdatomic.h>

#include "base/slice.h"

#define SAYING_LINES 1000 /* a second of one domain */
#define SAYING_BYTES 3500 /* of one text, escaped */

/* A domain's count; two whose names have the same hash share one. All zero at the beginning. */
struct saying {
	struct {
		_Atomic int64_t second; /* of the monotonic clock */
		_Atomic unsigned lines; /* in it */
	} of[64];
};

enum saying_answer { SAYING_TAKEN, SAYING_FIRST_LEFT_OUT, SAYING_LEFT_OUT };
enum saying_answer saying_admit(struct saying *saying, struct slice domain, int64_t now_ns);
/* As much of the text as a line has room for; no character is cut. */
struct slice saying_cut(struct slice text);
/* struct script_options.say; `self` is a struct saying. */
void saying_write(void *self, int level, struct slice domain, struct slice text);

#endif
