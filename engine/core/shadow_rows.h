/* SPDX-License-Identifier: MIT */
/*
 * What rows would differ: recorded entries through the old and the new projections, in memory, for those whose
 * definition changed. Both sides get the same entries in the log's order. Those are the log from its beginning where
 * it is short or all of it is asked; else all entries of the newest streams, whose rows may lack what other streams
 * would have put there, on both sides alike. The rows that are compared in the end, before queries change over, are
 * those of the whole log (build.h).
 */
#ifndef MOONLOG_CORE_SHADOW_ROWS_H
#define MOONLOG_CORE_SHADOW_ROWS_H

#include "core/shadow.h"

struct shadow_rows; /* under way */

struct shadow_rows_result {
	uint64_t streams; /* of the aggregates whose events these projections hear */
	uint64_t asked;   /* of them: those with an entry that went through */
	uint64_t entries;
	bool whole;  /* no entry of them is missing */
	bool from_1; /* the entries are those from the log's beginning, so that both sides saw what a rebuild sees */
	uint64_t rows_differ;
	uint64_t failing;       /* projections that fail where the old ones do not */
	char failed[400];       /* the first of these: projection, stream, event, reason */
	struct buf projections; /* JSON array; the caller's to free */
	struct fault fault;     /* of class NONE, or why rows could not be asked, or not to the end */
	int64_t took_us;
};

/*
 * Begins in a thread of its own, at low priority. *rows NULL: no projection changed, or options->scratch is NULL. The
 * options stay until the end.
 */
void shadow_rows_start(const struct shadow_options *options, struct shadow_rows **rows);
/* Waits for it and frees it; `rows` may be NULL. The result is filled in any case. */
void shadow_rows_end(struct shadow_rows *rows, struct shadow_rows_result *result);

#endif
