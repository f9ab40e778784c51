/* SPDX-License-Identifier: MIT */
/* What a consumer's store has, compared with what a read_committed reader of the cluster sees. */
#ifndef MOONLOG_TESTS_MODEL_EFFECTS_H
#define MOONLOG_TESTS_MODEL_EFFECTS_H

#include "model/cluster.h"
#include "store/store.h"

struct effects_wanted {
	bool ordered; /* also what its handler could not take at first: keys are parked, or lanes halted */
	bool own;     /* own events are heard too */
};

struct effects {
	char reason[300]; /* empty: well */
	bool complete;    /* everything that is visible has had its effect, and nothing is left over */
	char missing[200];
	unsigned taken, letters;
	uint64_t digest; /* of all that the store's log has */
};

/*
 * G5: every visible message that the rules handle has had its effect once, or is a dead letter, when it lies before its
 * lane's place, and none when it lies behind; nothing else has had an effect; in the order of its key; each decided on
 * what those before it had left.
 */
void effects_of(struct cluster *cluster, struct store *store, const struct effects_wanted *wanted,
		struct effects *effects);

#endif
