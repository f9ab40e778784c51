/* SPDX-License-Identifier: MIT */
/*
 * The index of the log: sealed segments on disk, oldest first, then live segments in memory, the last of them being
 * filled. One short lock; nothing that it protects is used outside of it, and no SQL runs inside it [I11].
 */
#ifndef MOONLOG_STORE_SQLITE_INDEX_H
#define MOONLOG_STORE_SQLITE_INDEX_H

#include <pthread.h>

#include "store/sqlite/bloom.h"
#include "store/sqlite/live.h"
#include "store/sqlite/rack.h"

#define LIVE_MAX 4

/* What a segment covers. */
struct segment_range {
	uint64_t number;
	log_position first; /* entries first..last; last = first - 1: none */
	log_position last;
	uint64_t first_bare;
	uint64_t last_bare;
	uint64_t first_born;
	uint64_t last_born;
	int64_t last_time;
	uint64_t commands; /* ids committed in it */
};

/* Entries and bare commands in it. */
static inline uint32_t
segment_size(const struct segment_range *range)
{
	return (uint32_t)(range->last - range->first + 1 + range->last_bare - range->first_bare + 1);
}

struct sealed {
	struct segment_range range;
	struct bloom names;
	struct bloom streams;
	struct bloom commands; /* until the index has it in its rack */
	bool forgotten;        /* its command ids are older than the window */
	bool damaged;          /* its stored index is wrong: read the log instead, until sealed anew */
};

struct index {
	pthread_mutex_t lock;
	uint64_t seed;
	uint32_t segment_entries;
	_Atomic uint64_t damages; /* times that a segment was found damaged */
	bool complete;            /* false: the log's end is in no segment (a read-only store) */
	struct rack commands;     /* filters of the sealed segments whose command ids are known */
	struct sealed **sealed;
	size_t sealed_count;
	size_t sealed_room;
	struct live *live[LIVE_MAX];
	size_t live_count;
	struct live *spare; /* the committer's, made before it is needed */
};

/* Segments that a question must look into on disk, newest first; a copy, so it outlives the lock. */
struct candidate {
	struct segment_range range;
	bool damaged;
};

struct candidates {
	struct candidate *items;
	size_t count;
	size_t room;
};

/* What memory knows of a stream. */
struct live_answer {
	bool known;                   /* some live segment has it */
	stream_version version;       /* its last, when known */
	stream_version first_version; /* the first that memory has, when known */
	size_t count;                 /* positions given */
};

void index_init(struct index *index, uint64_t seed);
void index_fini(struct index *index);

uint64_t index_hash_name(const struct index *index, struct slice name);
uint64_t index_hash_stream(const struct index *index, uint64_t stream);
uint64_t index_hash_command(const struct index *index, const struct command_id *id);

/*
 * The id of a stream born in a live segment, or 0 and the segments where it may have been born. Gives 0 or -1
 * (memory).
 */
int index_name(struct index *index, struct slice name, uint64_t *stream, struct candidates *candidates);
/*
 * Positions of versions from.. that memory has, up to `room` of them in `positions` (may be NULL when 0), and, when
 * versions from `from` to the first that memory has are wanted (or the stream is not in memory), the segments that may
 * hold them.
 */
int index_stream(struct index *index, uint64_t stream, stream_version from, log_position *positions, size_t room,
		 struct live_answer *answer, struct candidates *candidates);
/* The place of a command's commit, or 0 and the segments that may know it. */
int index_command(struct index *index, const struct command_id *id, int64_t *place, struct candidates *candidates);

/* The segment's stored index is wrong: from now on its part of the log is read instead. Any thread. */
void index_mark_damaged(struct index *index, uint64_t number);
/* Its command ids are older than the window, and may be gone from disk. Any thread. */
bool index_is_forgotten(struct index *index, uint64_t number);

/* The committer's: */
struct live *index_filling(struct index *index);
/*
 * Makes sure that `more` places (at most segment_entries) can be taken. Gives 0 or -1 (memory, or sealing is far
 * behind).
 */
int index_reserve(struct index *index, size_t more);
/* Publishing a commit: between these, index_take_place gives the segment for the next entry. */
void index_lock_filling(struct index *index);
struct live *index_take_place(struct index *index);
void index_unlock_filling(struct index *index);
/* Adds a sealed segment; takes `sealed`. With `from_live`, the oldest live segment is dropped: it is this one. */
int index_add_sealed(struct index *index, struct sealed *sealed, bool from_live);
/* Puts it in the place of the one with its number, which was damaged. Takes it, or gives -1 (memory). */
int index_replace_sealed(struct index *index, struct sealed *sealed);
/* Drops the newest one, at start. */
void index_drop_sealed(struct index *index);
/* From now on the segment's command ids count as unknown. */
void index_forget_commands(struct index *index, struct sealed *sealed);
void sealed_free(struct sealed *sealed);
void candidates_fini(struct candidates *candidates);

#endif
