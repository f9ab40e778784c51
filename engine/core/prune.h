/* SPDX-License-Identifier: MIT */
/*
 * Generations that decided nothing do not stay for ever: those that no entry of the log names, that are neither active
 * nor the one a rollback goes back to, that nobody in this process holds (past.h), and that are not among the newest
 * ones, go, with the sources that no other generation has and the records of their activation. One that decided
 * anything stays [I8]; so does, in doubt, one that perhaps did.
 *
 * Thread: the reloader's, the only one that gives generations while the engine runs.
 */
#ifndef MOONLOG_CORE_PRUNE_H
#define MOONLOG_CORE_PRUNE_H

#include "core/generation.h"

struct pruning {
	struct store_reader *reader;
	struct slice domain;
	uint32_t keep; /* how many that decided nothing stay, the newest */
	/* Rules of these numbers still live in the process, and may yet decide. */
	const uint32_t *living;
	size_t living_count;
	/* Commits records, all or none. */
	int (*commit)(void *self, struct append *append, struct fault *fault);
	void *self;
	size_t pruned; /* answered */
};

/*
 * Reads every generation's manifest, so not after each reload. Gives 0 also when there is nothing to do or the store
 * cannot tell. Fails: as reading and committing do; each commit removes whole generations.
 */
int prune_generations(struct pruning *pruning, struct fault *fault);

#endif
