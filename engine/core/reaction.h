/* SPDX-License-Identifier: MIT */
/*
 * Reactions: what a consumer or the timers of one thread decide and record. A bench is where they are decided: the
 * thread's seat, its window on the store, the states that it keeps. A reaction becomes one append, whose other records
 * (a place, a timer, a dead letter) its owner adds.
 *
 * States of streams whose append is still in flight are passed on to the next reaction of the same chain, at the
 * version that they will have: should that append fail, those behind it in the chain lose a comparison and are decided
 * again. The version alone would not do: whoever wrote in between may have made the same one. Others wait.
 *
 * Thread: one; the domain's active rules may be changed by another.
 */
#ifndef MOONLOG_CORE_REACTION_H
#define MOONLOG_CORE_REACTION_H

#include "core/cache.h"
#include "core/committer.h"
#include "core/lane.h"
#include "core/timer.h"

struct bench_options {
	struct store *store;
	struct domain *domain;
	const struct script_options *script;
	const struct clock *clock;
	const struct timer_clock *timers; /* NULL: timers fall due by the wall clock */
	size_t hot_states, warm_bytes;    /* as the engine's limits; 0 = 1024, 8 MiB */
	struct ruleset *rules;            /* decide in place of the domain's active ones; NULL: those do */
	/* A stream was written that a worker may keep the state of. May be NULL. */
	void (*wrote)(void *self, struct slice stream);
	void *self;
};

struct bench {
	struct bench_options options;
	struct store_reader *reader;
	struct seat *seat; /* the current one, older ones behind it */
	struct cache cache;
	struct lanes lanes; /* only who is in flight */
	struct arena pages;
};

enum reaction_answer {
	REACTION_NOTHING, /* no handler, or one that wants nothing */
	REACTION_DECIDED, /* reaction_append, then it is to be given in */
	REACTION_WAITS,   /* for an append in flight, or for rules that are being adopted: again later */
	REACTION_FAILED   /* *fault */
};

/* One of them; lives until its append is answered. */
struct reaction {
	struct arena arena;     /* of the owner, like the mark: */
	struct arena_mark mark; /* what lies below it stays when it is decided again */
	const void *chain; /* each append of one compares what the one before it writes; of the owner; NULL: none */
	struct seat *seat; /* whose machine decided; NULL: none */
	struct decided decided;
	struct lane **flights; /* of the streams that the append writes */
	struct record_write *records;
	size_t record_count;
	size_t record_room;
	struct submission submission;
};

int bench_open(const struct bench_options *options, struct bench *bench, struct fault *fault);
/* No reaction is left. Also one that was never opened (zeroed). */
void bench_close(struct bench *bench);
/* Takes the domain's active rules when they are not the seat's. Fails: as seat_open; the seat stays then. */
int bench_adopt(struct bench *bench, struct fault *fault);

/* Empty again, its memory back at the mark. Neither decided nor given in now. */
void reaction_clear(struct reaction *reaction);
/* Clears, then decides by the seat's rules. The request's loader is the bench's. */
enum reaction_answer reaction_decide(struct bench *bench, struct reaction *reaction, struct react_request *request,
				     struct fault *fault);
/* What was decided is thrown away. */
void reaction_discard(struct bench *bench, struct reaction *reaction);
/* Is it a fault of a decision or an append that may pass by itself? */
bool reaction_passes(const struct fault *fault);
/* A record of the owner's for its append; false when memory is out. */
bool reaction_add(struct reaction *reaction, struct record_write record);
/*
 * Makes the append: streams as they were read, entries, the owner's records (first, in their order), then unique keys
 * and timers. Nothing decided: the records alone. To be given in by the owner. Fails: MEMORY.
 */
int reaction_append(struct bench *bench, struct reaction *reaction, const struct provenance *provenance,
		    struct fault *fault);
/* As if the append had been done: its states are kept, nothing is recorded. */
void reaction_imagine(struct bench *bench, struct reaction *reaction);
/* The append is answered: states are kept, or forgotten. Gives true when it was done. */
bool reaction_settle(struct bench *bench, struct reaction *reaction);

#endif
