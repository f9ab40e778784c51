/* SPDX-License-Identifier: MIT */
/*
 * Watching a mailbox for a moment before sleeping on it: a sleeping thread costs its waker a system call and itself
 * the way back onto a processor, often more than the answer it waits for. Only where the answer usually comes soon and
 * there is a processor for it, and not much longer than it usually takes: an idle or a crowded machine does not pay.
 */
#ifndef MOONLOG_BASE_SPIN_H
#define MOONLOG_BASE_SPIN_H

#include "base/clock.h"
#include "base/mailbox.h"

struct spin {
	const struct clock *clock;
	int64_t longest_ns;
	long room;        /* threads of the process that may watch at the same time */
	int64_t usual_ns; /* how long the waits took, smoothed */
	int64_t since_ns; /* the present one began; 0: none */
	int64_t again_ns; /* not before: somebody else wanted the processor */
};

/* `longest_ns`: waits that usually take longer are slept through. On a single processor nothing is ever watched. */
void spin_init(struct spin *spin, const struct clock *clock, int64_t longest_ns);
/* Begins a wait and watches the box. true: something came; false: go to sleep. The taker only. */
bool spin_watch(struct spin *spin, const struct mailbox *box);
/* The wait that spin_watch began is over, watched or slept through. */
void spin_end(struct spin *spin);

#endif
