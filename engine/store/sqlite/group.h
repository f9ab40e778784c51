/* SPDX-License-Identifier: MIT */
/*
 * What a group of appends has decided so far and not yet written: an append sees those before it in the group.
 * Everything here is forgotten when the group ends, so a group that fails leaves nothing behind.
 */
#ifndef MOONLOG_STORE_SQLITE_GROUP_H
#define MOONLOG_STORE_SQLITE_GROUP_H

#include "store/sqlite/row.h"
#include "store/store.h"

struct group_stream {
	uint64_t hash;
	struct slice name;
	uint64_t id; /* 0: nobody has written to it yet */
	stream_version version;
	bool born; /* in this group */
	bool used; /* the slot */
};

struct group_row {
	struct row row;
	stream_version head; /* of its stream before it */
	struct slice born;   /* the name of a stream that begins here, else empty */
	size_t known;        /* its number in the catalogue; 0: no event */
};

struct group_bare {
	uint64_t number;
	struct command_id id;
	struct slice command;
};

struct group_record {
	uint64_t hash;
	struct slice space; /* empty: free slot */
	struct slice key;
	struct slice value;
	bool present;
};

struct group_command {
	uint64_t hash;
	const struct append *append; /* NULL: free slot */
};

struct group {
	struct arena arena;
	struct group_stream *streams; /* tables by hash, a power of two each */
	size_t stream_room;
	struct group_record *records;
	size_t record_room;
	struct group_command *commands;
	size_t command_room;
	struct group_row *rows;
	size_t row_count;
	size_t row_room;
	struct group_bare *bares;
	size_t bare_count;
	size_t bare_room;
	size_t types_before;
	size_t known_before; /* kinds in the catalogue */
	bool writes;         /* there is something to commit */
};

void group_init(struct group *group);
void group_fini(struct group *group);
/* Empty, with room for all that these appends ask for. Gives 0 or -1 (memory). */
int group_begin(struct group *group, struct append *const *appends, size_t count);

/* The slot of a stream or a record; `used` is false (space empty) when the group does not know it yet. */
struct group_stream *group_stream(struct group *group, uint64_t hash, struct slice name);
struct group_record *group_record(struct group *group, struct slice space, struct slice key);
/* NULL: not in this group. */
const struct append *group_find_command(const struct group *group, uint64_t hash, const struct command_id *id);
void group_add_command(struct group *group, uint64_t hash, const struct append *append);

#endif
