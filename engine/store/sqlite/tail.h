/* SPDX-License-Identifier: MIT */
/*
 * Where the events of one stream are in the log's unindexed end, as a store that was opened for reading sees it: looked
 * for once, and from then on in what was written since. One thread.
 */
#ifndef MOONLOG_STORE_SQLITE_TAIL_H
#define MOONLOG_STORE_SQLITE_TAIL_H

#include "store/sqlite/segment.h"

struct tail {
	uint64_t stream; /* 0: none yet */
	log_position first;
	log_position covered; /* what is known is what lies up to here */
	stream_version first_version;
	log_position *items; /* of its versions from there */
	size_t count;
	size_t room;
};

/* Does the segment end where the log does? */
static inline bool
tail_is(const struct candidate *segment)
{
	return segment->range.last == INT64_MAX;
}

/* As segment_scan. */
int tail_scan(struct tail *tail, struct link *link, const struct candidate *segment, uint64_t stream,
	      stream_version from, struct segment_events *events, bool *whole, struct fault *fault);
void tail_fini(struct tail *tail);

#endif
