/* SPDX-License-Identifier: MIT */
/*
 * A live segment: the in-memory index of a run of the log whose index is not on disk yet. Which streams were born in
 * it, which versions and positions each stream has in it, which command ids were committed in it. Filled by the
 * committer, rebuilt from the log at start, dropped once sealed.
 */
#ifndef MOONLOG_STORE_SQLITE_LIVE_H
#define MOONLOG_STORE_SQLITE_LIVE_H

#include "base/arena.h"
#include "model/command_id.h"
#include "model/stream.h"

#define SEGMENT_SIZE 131072 /* entries and bare commands a segment, at most */

struct live_stream {
	uint64_t id;
	stream_version first_version;
	uint32_t count; /* of events; 0: the stream has only entries without version here */
	uint32_t last;  /* offset of the last event, meaningful when count != 0 */
};

struct live_name {
	uint64_t hash;
	uint64_t id;
	struct slice name;
};

/* `place`: position of the commit's first entry, or -number of a bare command (a commit without entries). */
struct live_command {
	struct command_id id;
	int64_t place;
};

struct live {
	uint32_t limit;  /* full with so many entries and bare commands */
	uint32_t slots;  /* of each hash table: a power of two, at least twice the limit */
	uint64_t number; /* of the segment, from 1 */
	log_position first;
	uint32_t entries;
	uint64_t first_bare;
	uint32_t bares;
	uint64_t first_born; /* stream ids born here: first_born .. first_born + born - 1 */
	uint32_t born;
	uint32_t stream_count;
	uint32_t command_count;
	int64_t last_time;
	uint32_t *previous;          /* by offset: offset of the stream's event before it in this segment */
	struct live_stream *streams; /* stream_count of them, and so on */
	struct live_name *names;     /* born */
	struct live_command *commands;
	uint32_t *stream_slots, *name_slots, *command_slots;
	void *pages; /* where all of these lie */
	size_t size;
	struct arena arena; /* names */
};

/* Empty, its place in the log not given yet; `limit` at most SEGMENT_SIZE. Gives NULL without memory. */
struct live *live_new(uint32_t limit);
void live_free(struct live *live);
bool live_is_full(const struct live *live);

/* The next entry of the log; `version` 0: without one. The segment must not be full. */
void live_add(struct live *live, uint64_t stream, stream_version head_before, stream_version version, int64_t time);
void live_add_bare(struct live *live, int64_t time);
void live_add_name(struct live *live, uint64_t hash, uint64_t id, struct slice name);
void live_add_command(struct live *live, uint64_t hash, const struct command_id *id, int64_t place);

const struct live_stream *live_find(const struct live *live, uint64_t stream);
/* 0: not born here. */
uint64_t live_find_name(const struct live *live, uint64_t hash, struct slice name);
/* 0: not here. */
int64_t live_find_command(const struct live *live, uint64_t hash, const struct command_id *id);

#endif
