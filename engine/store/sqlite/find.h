/* SPDX-License-Identifier: MIT */
/*
 * Questions to the index, over memory and disk: who is this stream, how far is it, where are its events, what became of
 * this command. The index leads to rows of the log and is never believed over them; where a block of it is wrong, the
 * log itself is read and the segment is marked to be sealed anew.
 */
#ifndef MOONLOG_STORE_SQLITE_FIND_H
#define MOONLOG_STORE_SQLITE_FIND_H

#include "store/sqlite/index.h"
#include "store/sqlite/link.h"
#include "store/sqlite/names.h"
#include "store/sqlite/row.h"
#include "store/sqlite/tail.h"

struct finder {
	struct index *index;
	struct link *link;
	struct candidates candidates;
	struct heads heads;
	struct tail tail;
};

struct positions {
	log_position *items;
	size_t count;
	size_t room;
};

int finder_init(struct finder *finder, struct index *index, struct link *link, size_t heads, struct fault *fault);
void finder_fini(struct finder *finder);

/* *stream is 0 when there is none of that name. */
int find_stream(struct finder *finder, struct slice name, uint64_t *stream, struct fault *fault);
/* The last version; 0 also for a stream that has entries but no event. */
int find_version(struct finder *finder, uint64_t stream, stream_version *version, struct fault *fault);
/*
 * Positions of versions from.., at most `limit`, oldest first, and the last version. Begins a read transaction on the
 * finder's link, also when it fails, in which those positions are seen: the caller ends it.
 */
int find_positions(struct finder *finder, uint64_t stream, stream_version from, size_t limit,
		   struct positions *positions, stream_version *version, struct fault *fault);

/* A remembered command, its reply in `arena`; *found false when there is none. */
struct found_command {
	bool found;
	struct fingerprint fingerprint;
	log_position first;
	log_position last;
	int64_t at;
	struct slice reply;
};
int find_command(struct finder *finder, const struct command_id *id, struct arena *arena, struct found_command *command,
		 struct fault *fault);

#endif
