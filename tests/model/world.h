/* SPDX-License-Identifier: MIT */
/*
 * A world of one seed: its chance, its clock, one cluster, and processes that can die at every point: between any two
 * things that others could see, and at every probe. A process that has died goes on running to the end of the call it
 * is in, but nothing it does has an effect any more; what it had in memory is thrown away, its store stays.
 */
#ifndef MOONLOG_TESTS_MODEL_WORLD_H
#define MOONLOG_TESTS_MODEL_WORLD_H

#include "base/clock.h"
#include "base/entropy.h"
#include "bus/publisher.h"
#include "bus/source.h"
#include "model/cluster.h"
#include "store/store.h"

/* Faults put in on purpose, which the checks must find. */
struct sabotage {
	bool swap;        /* the mark is read back before the fence */
	bool loose_mark;  /* the mark goes out in a transaction of its own */
	bool no_fencing;  /* the cluster takes requests of old epochs */
	bool no_compare;  /* a consumer's place is written without its comparison */
	bool no_inbox;    /* a consumer forgets what it has heard */
	bool group_place; /* a lane begins where the group's offset is, not where the store says */
};

struct point_count {
	const char *name;
	unsigned long passed, died;
};

#define POINTS_MAX 64

struct world {
	uint64_t chance[2];
	int64_t now_us;
	struct clock clock;
	struct entropy_seeded entropy;
	struct cluster cluster;
	bool away;                                      /* no broker answers */
	unsigned lost_requests, lost_answers, refusals; /* of 1000 */
	struct sabotage sabotage;
	struct process *running;    /* whose code is called just now */
	struct point_count *points; /* POINTS_MAX, over all worlds */
	bool trace;
};

struct process {
	struct world *world;
	const char *name;
	struct store *store;
	struct slice store_id;
	bool transactional;
	bool dead;
	unsigned long fuse; /* points until it dies; 0: none */
	bool store_away;
};

void world_open(struct world *world, uint64_t seed, struct point_count *points);
void world_close(struct world *world);
/* 0 .. below - 1. */
uint64_t world_chance(struct world *world, uint64_t below);
static inline bool
world_odds(struct world *world, unsigned permille)
{
	return permille != 0 && world_chance(world, 1000) < permille;
}
void world_say(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A point at which the process may die. false: it is dead. */
bool process_point(struct process *process, const char *name);
/* A request gets through to the cluster; its answer comes back. */
bool process_reaches(struct process *process);
bool process_hears(struct process *process);
/* For relay_options.commit. `self` is the process. */
int process_commit(void *self, struct append *append, struct fault *fault);

/* publisher.c; `self` is the process. */
struct publisher_maker model_publisher(struct process *process);
/* source.c; `self` is the process. */
struct source_maker model_source(struct process *process);

#endif
