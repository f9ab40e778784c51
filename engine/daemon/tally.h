/* SPDX-License-Identifier: MIT */
/* Streams and their last versions, gathered by one pass over the log: linear, where asking stream by stream is not. */
#ifndef MOONLOG_DAEMON_TALLY_H
#define MOONLOG_DAEMON_TALLY_H

#include "store/store.h"

struct tally_stream {
	struct slice name; /* in the tally's arena */
	stream_version version;
};

struct tally {
	struct arena arena;
	struct tally_stream *streams; /* at the end: `count` of them in bytewise order; before: a hash table */
	size_t count;
	size_t room;
};

/* Streams whose whole name begins with `prefix`. Fails: as reads do; MEMORY. The tally must be freed either way. */
int tally_streams(struct store_reader *reader, struct slice prefix, struct tally *tally, struct fault *fault);
void tally_free(struct tally *tally);

#endif
