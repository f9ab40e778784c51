/* SPDX-License-Identifier: MIT */
/*
 * A domain's breaker: when its commands had to be stopped too often within a while, all of them are turned away for a
 * pause, so that they do not eat the time of the workers that they share with other domains. After the pause one
 * command is let through: if it goes well the breaker closes, else the pause is twice as long, up to sixteen times.
 *
 * Any thread.
 */
#ifndef MOONLOG_CORE_BREAKER_H
#define MOONLOG_CORE_BREAKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/fault.h"

struct breaker_limits {
	unsigned kills;    /* stopped commands that trip it; 0 = 5 */
	int64_t window_us; /* within this; 0 = 10 s */
	int64_t pause_us;  /* 0 = 2 s */
};

struct breaker {
	_Atomic int64_t open_until_ns; /* 0: closed */
	_Atomic uint64_t stopped;      /* commands that were stopped, ever */
	_Atomic uint64_t trips;
	_Atomic uint64_t turned_away;
	pthread_mutex_t lock;
	unsigned kills; /* in the window that began at */
	int64_t since_ns;
	unsigned doublings; /* of the pause */
};

void breaker_init(struct breaker *breaker);
void breaker_fini(struct breaker *breaker);
static inline bool
breaker_is_open(const struct breaker *breaker)
{
	return atomic_load_explicit(&breaker->open_until_ns, memory_order_relaxed) != 0;
}
/*
 * May a command run now? *probe: it is the one that a pause's end lets through, to be told of by breaker_probed. Fails:
 * BUSY "domain_tripped", with the seconds to wait in fault->native.
 */
int breaker_admit(struct breaker *breaker, const struct breaker_limits *limits, int64_t now_ns, bool *probe,
		  struct fault *fault);
/* Was it stopped, so that it counts? Time and memory do; what is only wrong costs nobody else anything. */
bool breaker_counts(const struct fault *fault);
/* A command was stopped. Gives true when that tripped it. */
bool breaker_stopped(struct breaker *breaker, const struct breaker_limits *limits, int64_t now_ns);
/* The probe went well. Gives true when that closed it. */
bool breaker_probed(struct breaker *breaker);
/* Other rules decide from now on: the next command is let through as if the first pause were over. */
void breaker_renewed(struct breaker *breaker);

#endif
