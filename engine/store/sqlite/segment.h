/* SPDX-License-Identifier: MIT */
/* Looking into one sealed segment on disk. */
#ifndef MOONLOG_STORE_SQLITE_SEGMENT_H
#define MOONLOG_STORE_SQLITE_SEGMENT_H

#include "store/sqlite/block.h"
#include "store/sqlite/index.h"
#include "store/sqlite/row.h"

#define SEGMENT_MATCHES 16

/* What looking gives besides a fault (-1). */
enum segment_answer { SEGMENT_FOUND, SEGMENT_ABSENT, SEGMENT_DAMAGED };

struct segment_events {
	stream_version first_version; /* of the first event given */
	stream_version last_version;  /* in the segment; first_version - 1 when it has no event */
	log_position *items;          /* of the first `count` of them, at most `room` */
	size_t count;
	size_t room;
};

/* References of a hash prefix. Gives a segment_answer or -1. */
int segment_hash(struct link *link, enum hash_kind kind, const struct candidate *segment, uint64_t prefix,
		 uint64_t references[SEGMENT_MATCHES], size_t *count, struct fault *fault);
/* The stream's last version in the segment. */
int segment_version(struct link *link, const struct candidate *segment, uint64_t stream, stream_version *version,
		    struct fault *fault);
/*
 * Events of versions from.. in the segment; *whole tells that versions before the first one given are not asked for
 * (they are older than `from`), so no older segment need be looked into.
 */
int segment_events(struct link *link, const struct candidate *segment, uint64_t stream, stream_version from,
		   struct segment_events *events, bool *whole, struct fault *fault);
/*
 * The rows of its part of the log, one after the other; `each` gives 0 to go on. Fails: CORRUPT, as `each` and SQL
 * do.
 */
int segment_walk(struct link *link, const struct candidate *segment,
		 int (*each)(void *self, const struct row *row, struct fault *fault), void *self, struct fault *fault);
/* The same as segment_events, from the log itself. */
int segment_scan(struct link *link, const struct candidate *segment, uint64_t stream, stream_version from,
		 struct segment_events *events, bool *whole, struct fault *fault);

#endif
