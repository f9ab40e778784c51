/* SPDX-License-Identifier: MIT */
/*
 * A seat: one generation's script machine on one thread. A thread has one current seat a domain; a reload brings the
 * next one, and the older ones stay behind it until nothing is left that lives in their machines: commands that were
 * decided there, cached states, windows of queries.
 *
 * Thread: made by any, then one thread's.
 */
#ifndef MOONLOG_CORE_SEAT_H
#define MOONLOG_CORE_SEAT_H

#include "core/ruleset.h"

struct seat {
	struct seat *older;
	struct ruleset *rules; /* held */
	struct script_machine *machine;
	size_t users;
};

/* Holds the rules. Fails: as script_open. */
int seat_open(struct ruleset *rules, const struct script_options *options, struct seat **seat, struct fault *fault);
/* `seat` may be NULL; nobody may use it. Does not look at older ones. */
void seat_close(struct seat *seat);

/* The next generation takes its place before the current one. */
void seat_adopt(struct seat **current, struct seat *next);
/* Closes what lies behind the current seat and is used by nobody. */
void seat_sweep(struct seat *current);
/* Closes all of them. */
void seat_close_all(struct seat **current);

/* States of equal folds may move from one seat to the other. */
static inline uint64_t
seat_fold(const struct seat *seat, uint16_t aggregate)
{
	uint64_t fold;

	memcpy(&fold, seat->rules->program->aggregates[aggregate].fold_hash.bytes, sizeof(fold));
	return fold;
}

#endif
