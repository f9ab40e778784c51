/* SPDX-License-Identifier: MIT */
/*
 * Timers that are due fire: the stream's rules decide, and what they decide is recorded in the append that removes the
 * timer. So each fires once, whatever dies meanwhile; those missed while nobody ran fire at once, the oldest first.
 *
 * firing_step is the whole machine without a thread.
 *
 * Thread: one; what says "any thread" by any.
 */
#ifndef MOONLOG_CORE_FIRING_H
#define MOONLOG_CORE_FIRING_H

#include "core/reaction.h"

struct firing;

struct firing_options {
	struct bench_options bench; /* `timers` tells what is due */
	const struct entropy *entropy;
	/* Gives an append in; its answer comes back as submission->back in submission->home. */
	void (*give)(void *self, struct submission *submission);
	void *self;
	struct waker waker; /* there is something to do: firing_step */
};

struct firing_status {
	uint64_t fired;      /* since start */
	uint64_t failed;     /* that became dead letters */
	uint64_t waiting;    /* that are tried again later */
	int64_t next_due_us; /* INT64_MAX: none */
};

int firing_open(const struct firing_options *options, struct firing **firing, struct fault *fault);
/* One step. Gives how long to wait unless woken; INT64_MAX: until woken. */
int64_t firing_step(struct firing *firing);
/* Every append that was given in is answered when this returns. `firing` may be NULL. */
void firing_close(struct firing *firing);
/* Any thread. */
void firing_status(struct firing *firing, struct firing_status *status);

#endif
