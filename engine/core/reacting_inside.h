/* SPDX-License-Identifier: MIT */
/* What reacting.c and reacting_told.c share. */
#ifndef MOONLOG_CORE_REACTING_INSIDE_H
#define MOONLOG_CORE_REACTING_INSIDE_H

#include "core/reacting.h"

struct listener {
	struct listener *next;
	struct consumer *consumer;
};

/* A reactor whose consumer could not be opened. */
struct unopened {
	struct unopened *next;
	char name[STREAM_WORD_MAX + 1];
	char reason[sizeof(((struct fault *)NULL)->text)];
	int64_t since_us;
};

struct reacting {
	struct engine *engine;
	struct domain *domain;
	struct timer_clock timers;
	struct firing *firing;
	struct mailbox box; /* only nudged */
	_Atomic bool rung;  /* a nudge that the thread has not seen yet */
	_Atomic bool stopping;
	pthread_t thread;
	bool running;
	struct ruleset *rules; /* whose reactors have consumers; held */
	int64_t again_ns;      /* one could not be opened; 0: all are */
	struct mail *unsaid;   /* struct forget each: streams written since their owners were told */
	pthread_mutex_t lock;  /* over the lists while they are changed, or looked at by others */
	struct listener *listeners;
	struct unopened *unopened;
};

#endif
