/* SPDX-License-Identifier: MIT */
/*
 * The other end of a schedule: consumers that hear what the relays have published, and what another producer writes
 * with repeats, aborted and unended transactions and things that are no CloudEvent. One or two processes of one store,
 * with the real consumer over the source of source.c: they are killed at every point, lose their lanes and do not hear
 * of it, fail at messages, are mended and drain what they had put aside.
 */
#ifndef MOONLOG_TESTS_MODEL_HEARERS_H
#define MOONLOG_TESTS_MODEL_HEARERS_H

#include "core/consumer.h"
#include "model/effects.h"
#include "model/world.h"

#define HEARERS_MAX 2

struct hearer {
	struct process process;
	struct consumer *consumer;
	struct submission *given[256]; /* not committed yet */
	size_t given_count;
	struct consumer_order order;
	bool ordered;
};

struct hearers {
	struct world *world;
	struct store *store;
	struct domain *domain;
	struct script_options script;
	struct hearer sides[HEARERS_MAX];
	size_t side_count;
	bool repeats; /* the other producer, or the relay, writes some things again */
	struct effects_wanted wanted;
	bool halts, fixed;
	unsigned deaths;
	uint64_t foreign[CLUSTER_PARTITIONS]; /* messages of the other producer, by partition */
	struct effects effects;
};

/* `repeats`: the relay may. */
void hearers_open(struct hearers *hearers, struct world *world, bool repeats);
/* Something happens. false: effects.reason says what is wrong. */
bool hearers_act(struct hearers *hearers);
/* Nothing fails any more; in the end all that is visible has had its effect. false: effects.reason. */
bool hearers_rest(struct hearers *hearers);
void hearers_close(struct hearers *hearers);

#endif
