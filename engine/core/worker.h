/* SPDX-License-Identifier: MIT */
/*
 * A worker: the thread that decides the commands of the streams it owns (hash of the name), with a script machine a
 * domain, a cache of states and a window on the store of its own.
 */
#ifndef MOONLOG_CORE_WORKER_H
#define MOONLOG_CORE_WORKER_H

#include "base/spin.h"
#include "core/cache.h"
#include "core/committer.h"
#include "core/lane.h"

/* Upper bounds of the latency classes, in microseconds; the last class has none. */
#define TALLY_CLASSES 12
extern const int64_t tally_bounds[TALLY_CLASSES - 1];

struct keeper;

/* What a worker counts; read by others with relaxed loads. */
struct tally {
	_Atomic uint64_t outcomes[OUTCOME_FAILED + 1];
	_Atomic uint64_t again; /* decisions after conflicts */
	_Atomic uint64_t events;
	_Atomic uint64_t latency[TALLY_CLASSES];
	_Atomic uint64_t latency_us; /* sum */
	_Atomic uint64_t turned_away;
	_Atomic uint64_t loads; /* of states that no cache had */
};

struct worker {
	struct engine *engine;
	unsigned number;
	const struct engine_limits *limits;
	const struct engine_parts *parts;
	struct committer *committer;
	struct keeper *keeper;
	const struct timer_clock *timers; /* what due times are of; NULL: the wall clock */
	struct worker *all;               /* of the engine */
	size_t all_count;
	struct domain *const *domains;
	size_t domain_count;
	pthread_t thread;
	bool running;
	struct mailbox box;
	struct spin spin; /* of waits for mail while few commands are about */
	struct store_reader *reader;
	struct seat *seats[DOMAIN_MAX]; /* the current one, older ones behind it */
	struct command *stranded;       /* met what newer rules recorded; their adoption is on its way */
	struct cache cache;
	struct lanes lanes;
	struct arena pages;
	size_t unsent;   /* appends given to the committer since this worker last looked to their commit */
	bool leaving;    /* states may lie in seats of earlier rules */
	bool untidy;     /* decided something since the machines were last tidied to the end */
	uint64_t wrongs; /* states that were told to be wrong: what was taken from the cache before does not go back */
	_Atomic size_t *inside; /* the engine's count of asks not yet answered */
	/* waiting: given, not yet begun */
	_Atomic size_t waiting;
	_Atomic size_t waiting_of[DOMAIN_MAX];
	struct tally tally;
};

/* Opens reader, machines and cache for the domains; engine, limits, parts ... are set by the caller before. */
int worker_open(struct worker *worker, const struct script_options *options, struct fault *fault);
int worker_start(struct worker *worker, struct fault *fault);
/* Every command must be answered before. */
void worker_stop(struct worker *worker);
void worker_close(struct worker *worker);

/* Bounded by the queue's length and the domain's share of it: false when there is no place. Any thread. */
bool worker_give(struct worker *worker, struct command *command);

/* Word to the owner of a stream that somebody else wrote it; free to drop it. NULL without memory. */
struct forget *forget_make(struct slice stream, uint64_t hash);
/*
 * Gives it: of all workers, to the owner. When it cannot be told its next append loses the comparison and loads again.
 * Any thread.
 */
void worker_forget(const struct worker *any, struct slice stream, uint64_t hash);
/* A state of this stream was wrong: whichever worker keeps one lets it go. Any thread. */
void workers_forget_wrong(const struct worker *any, struct slice stream, uint64_t hash);

static inline struct worker *
worker_of(const struct worker *worker, uint64_t hash)
{
	return &worker->all[(hash >> 32) % worker->all_count];
}

#endif
