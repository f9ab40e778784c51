/* SPDX-License-Identifier: MIT */
/*
 * Which streams of some aggregates there are, the one that was written last first, without going through the log: for
 * aggregates with few streams beside what the whole log holds.
 */
#ifndef MOONLOG_CORE_SHADOW_STREAMS_H
#define MOONLOG_CORE_SHADOW_STREAMS_H

#include "store/store.h"

struct shadow_stream {
	struct slice name;
	log_position newest; /* of its events, when it was looked at */
};

struct shadow_streams {
	struct store_reader *reader;
	const struct slice *prefixes; /* of their names */
	size_t prefix_count;
	size_t most;              /* of all of them together */
	unsigned threads, number; /* those with this remainder of their hash are given */
	/* Given: */
	bool listed; /* false: there are more than `most` */
	struct shadow_stream *items;
	size_t count;
};

static inline uint64_t
shadow_stream_hash(struct slice stream)
{
	return slice_hash(stream, 0x7368u);
}

/* How many it pays to list rather than to walk over so many entries. */
size_t shadow_streams_most(uint64_t entries);
/* Names without any event are left out. What is given lies in `arena`. Fails: as reading does, MEMORY. */
int shadow_streams_list(struct shadow_streams *streams, struct arena *arena, struct fault *fault);

#endif
