/* SPDX-License-Identifier: MIT */
/* Small caches between names and numbers. Each belongs to one thread; names never change, so nothing goes stale. */
#ifndef MOONLOG_STORE_SQLITE_NAMES_H
#define MOONLOG_STORE_SQLITE_NAMES_H

#include "base/arena.h"
#include "model/entry.h"
#include "store/sqlite/link.h"

/* Name -> id and, for the committer alone, the stream's last version. A bounded number of streams. */
struct head {
	uint64_t hash;
	uint64_t id; /* 0: free */
	stream_version version;
	bool version_known;
	struct slice name; /* owned */
};

struct heads {
	struct head *slots;
	size_t room; /* a power of two */
};

int heads_init(struct heads *heads, size_t room);
void heads_fini(struct heads *heads);
/* NULL: not cached. */
struct head *heads_get(const struct heads *heads, uint64_t hash, struct slice name);
/* Takes the place of another stream if it must; without memory it does nothing. */
void heads_put(struct heads *heads, uint64_t hash, uint64_t id, struct slice name, bool version_known,
	       stream_version version);

/* Id -> name, with the copy last made for an arena: a page of one stream's entries then shares one name. */
struct name_slot {
	uint64_t id;       /* 0: free */
	struct slice name; /* owned */
	uint64_t turn;     /* the read that `copy` was made for */
	struct slice copy;
};

struct name_cache {
	struct name_slot *slots;
	size_t room;
};

int name_cache_init(struct name_cache *cache, size_t room);
void name_cache_fini(struct name_cache *cache);
/* The stream's name from the cache or the table. Fails: CORRUPT "name_mismatch", MEMORY, as SQL does. */
struct name_slot *name_cache_get(struct name_cache *cache, struct link *link, uint64_t stream, struct fault *fault);

/* What entries of one type share. */
struct type {
	enum entry_kind kind;
	uint32_t schema_version;
	uint32_t generation;
	struct slice name; /* owned, as is topic */
	struct slice topic;
	uint64_t turn;
	struct slice name_copy;
	struct slice topic_copy;
};

struct types {
	struct type **items; /* id at id - 1 */
	size_t count;
	size_t room;
	uint32_t *table; /* ids by hash; the writer's */
	size_t table_room;
};

void types_fini(struct types *types);
/* All that the table holds beyond what is known. */
int types_load(struct types *types, struct link *link, struct fault *fault);
/* By id, loading when it is not known yet. NULL with a fault: CORRUPT, MEMORY, as SQL does. */
struct type *types_get(struct types *types, struct link *link, uint64_t id, struct fault *fault);
/* The writer's: the id of such a type, or 0. */
uint64_t types_find(const struct types *types, const struct new_entry *entry, uint32_t generation);
/* Adds it as the next id. Gives it, or 0 without memory. */
uint64_t types_add(struct types *types, const struct new_entry *entry, uint32_t generation);
/* Forgets the types after the first `count`: their commit did not happen. */
void types_cut(struct types *types, size_t count);

#endif
