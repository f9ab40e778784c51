/* SPDX-License-Identifier: MIT */
/*
 * Two read models of a domain held at one position of the log for a moment, so that snapshots of both can be compared,
 * or readers led from one to the other. Writers of rows stand still meanwhile; commands and readers do not.
 *
 * Thread: one that holds both read models, any but those of their projectors.
 */
#ifndef MOONLOG_CORE_COMPARE_H
#define MOONLOG_CORE_COMPARE_H

#include "base/buf.h"
#include "core/readside.h"

/* Which projections are compared. */
struct compare_options {
	const bool *anew; /* by number of the new program's projections: those that were made from nothing */
	size_t samples;   /* of each table */
	const _Atomic bool *stop;
	bool bus; /* topics feed by a bus: those rows stand at no position of the log, and are left out */
};

struct comparison {
	log_position position;
	uint64_t rows_differ;
	struct buf tables; /* JSON array; the caller's, initialised, appended to */
};

/*
 * Counts the rows that differ in the tables of those projections, the ones that only one of the two has included.
 * Fails: BUSY "not_level", they could not be brought to one position in bounded time; as view_diff does.
 */
int compare_rows(const struct readside *before, const struct readside *after, const struct compare_options *options,
		 struct comparison *comparison, struct fault *fault);

/*
 * The rows of `before` stand still and those of `after` have come as far: who reads the ones now and the others next
 * never sees the log go backwards. In bounded time; false: not so, `after` needs more time. Call compare_go_on in both
 * cases.
 */
bool compare_lead(const struct readside *before, const struct readside *after, const struct store *store,
		  const struct clock *clock);
void compare_go_on(const struct readside *before);

#endif
