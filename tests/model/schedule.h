/* SPDX-License-Identifier: MIT */
/*
 * One schedule: a world of one seed in which relays run over stores that grow, are killed at every point, lose requests
 * and answers, meet brokers that are away and transactions that time out, and sometimes each other, while consumers
 * (hearers.h) hear what is visible. Then all is healed; what a read_committed reader sees is compared with the log
 * [I9], and the consumers' store with what a read_committed reader sees [I6].
 */
#ifndef MOONLOG_TESTS_MODEL_SCHEDULE_H
#define MOONLOG_TESTS_MODEL_SCHEDULE_H

#include "model/world.h"

enum schedule_kind {
	SCHEDULE_ALONE,      /* one process */
	SCHEDULE_COPY,       /* a copy of its store is started beside it */
	SCHEDULE_SHARED,     /* two processes of one store, by the lease */
	SCHEDULE_RESTORED,   /* an older copy takes the place of its store, and grows */
	SCHEDULE_IDEMPOTENT, /* without transactions: at least once */
	SCHEDULE_KINDS
};

struct schedule_result {
	enum schedule_kind kind;
	bool failed;
	char reason[400];
	uint64_t digest; /* of all that the cluster has, and of all that was done */
	unsigned deaths, entries, messages, stops, taken;
};

void schedule_run(uint64_t seed, const struct sabotage *sabotage, struct point_count *points, bool trace,
		  struct schedule_result *result);

#endif
