/* SPDX-License-Identifier: MIT */
/*
 * States of streams that one thread keeps: hot ones decoded in the script machines, warm ones as canonical bytes
 * behind them. Both bounded; the least recently used go first, from hot to warm, from warm to nowhere.
 *
 * After a reload a state is moved to the new machine when it is next opened, if its fold is the same, else dropped;
 * those that are not opened soon become warm.
 *
 * Thread: one. Owns the entries; each entry with a decoded state is a user of its seat.
 */
#ifndef MOONLOG_CORE_CACHE_H
#define MOONLOG_CORE_CACHE_H

#include "core/domain.h"
#include "core/seat.h"

struct cached {
	struct cached *next; /* in its bucket */
	struct cached *newer, *older;
	uint64_t hash;
	uint64_t fold;     /* of the rules by which the state was made */
	struct seat *seat; /* whose machine holds `state` */
	stream_version version;
	int64_t kept_us;    /* when its snapshot was taken last, or its first event seen here; 0: neither */
	script_state state; /* 0: none */
	char *warm;         /* canonical bytes, `warm_size` of them; only while there is no state */
	uint32_t warm_size;
	uint16_t domain;
	uint16_t aggregate;
	uint16_t name_size;
	bool open;   /* between cache_open and cache_close: on no list */
	bool behind; /* the stream may have grown since: the holder folds what is newer before it trusts the state */
	bool stale;  /* told to forget while it was open */
	char name[];
};

struct cache_shelf {
	struct cached *newest, *oldest;
	size_t count;
	size_t bytes;
};

struct cache {
	struct cached **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	struct cache_shelf hot[DOMAIN_MAX];
	struct cache_shelf warm;
	size_t hot_limit;  /* states, a machine */
	size_t warm_limit; /* bytes, names included */
	struct buf scratch;
};

int cache_init(struct cache *cache, size_t hot_limit, size_t warm_limit, struct fault *fault);
void cache_fini(struct cache *cache);

/*
 * Finds or makes the entry of a stream and holds it: with a state decoded in `seat` and its version when there was one,
 * with state and version 0 otherwise. NULL when memory is out. The holder changes state and version as it likes.
 */
struct cached *cache_open(struct cache *cache, uint16_t domain, struct seat *seat, uint16_t aggregate,
			  struct slice name, uint64_t hash);
/* The same for an entry that is open already: its state comes to `seat`, or goes. */
void cache_move(struct cache *cache, struct cached *cached, struct seat *seat, uint16_t aggregate);
/* The holder puts a state of the entry's seat into it, or takes it out (0). */
void cache_set(struct cached *cached, script_state state, stream_version version);
/*
 * The states that lie in `seat` and belong to no holder leave it, at most `most` of them, so that it can be closed:
 * those of a fold that `next` has, too, become warm, others go. `next` may be NULL: all go. Gives how many left.
 */
size_t cache_leave(struct cache *cache, unsigned domain, const struct seat *seat, const struct seat *next, size_t most);
/* Gives it back; without a state, or told stale meanwhile, it is dropped. */
void cache_close(struct cache *cache, struct cached *cached);
/* Releases the state that an open entry holds, if any: it will be loaded anew. */
void cache_empty(struct cache *cache, struct cached *cached);
/* A state is taken out, and its entry goes. 0 and 0, and false: there is none, or it has a holder. */
bool cache_take(struct cache *cache, uint16_t domain, struct seat *seat, uint16_t aggregate, struct slice name,
		uint64_t hash, script_state *state, stream_version *version);
/*
 * A state of `seat` is put in, in place of any. false: the entry has a holder, the machine has dropped the state, or
 * memory is out; it is the caller's then.
 */
bool cache_keep(struct cache *cache, uint16_t domain, struct seat *seat, uint16_t aggregate, struct slice name,
		uint64_t hash, script_state state, stream_version version, bool behind);
/* Another thread wrote this stream: its entry is behind; one that has a holder goes when it is given back. */
void cache_outdate(struct cache *cache, struct slice name, uint64_t hash);
/* What is kept of this stream is wrong, or to be read anew: it goes. */
void cache_forget(struct cache *cache, struct slice name, uint64_t hash);

#endif
