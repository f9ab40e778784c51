/* SPDX-License-Identifier: MIT */
/* What a read_committed reader of the cluster sees, compared with logs. */
#ifndef MOONLOG_TESTS_MODEL_VERDICT_H
#define MOONLOG_TESTS_MODEL_VERDICT_H

#include "model/cluster.h"
#include "store/store.h"

struct verdict {
	char reason[300]; /* empty: well */
	bool complete;    /* all that is to be sent is out */
	log_position missing;
};

/*
 * G3: what is visible is, of one of these logs, what is to be sent of 1..P for some P that ends a commit: each message
 * once, in every partition in the log's order, messages of one commit in one transaction.
 */
void verdict_of(struct cluster *cluster, struct store *const *stores, size_t count, struct verdict *verdict);
/* G4: the same, where a message may be repeated after it was seen. All must be there. */
void verdict_of_repeats(struct cluster *cluster, struct store *store, struct verdict *verdict);

/* Records and all, with the same links. */
void verdict_copy(struct store *from, struct store *to);
uint64_t verdict_digest(struct cluster *cluster, unsigned *messages);

#endif
