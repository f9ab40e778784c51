/* SPDX-License-Identifier: MIT */
/*
 * A chained hash table over three kinds of places: a hot shelf a machine, one warm shelf, and the hands of whoever
 * opened an entry. Open entries are on no shelf, so eviction cannot take a state that a decision works on.
 *
 * Nothing here is believed over the store: an entry is right because every commit compares the version that was read.
 * A state that cannot be encoded or decoded, or that its machine dropped, is dropped and loaded again.
 */
#include "core/cache.h"

#include <stdlib.h>

#define FIRST_BUCKETS 1024

int
cache_init(struct cache *cache, size_t hot_limit, size_t warm_limit, struct fault *fault)
{
	*cache = (struct cache){ .hot_limit = hot_limit, .warm_limit = warm_limit };
	buf_init(&cache->scratch, (size_t)8 << 20);
	cache->bucket_count = FIRST_BUCKETS;
	cache->buckets = calloc(cache->bucket_count, sizeof(struct cached *));
	if (cache->buckets == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for a cache");
	return 0;
}

static void
shelf_put(struct cache_shelf *shelf, struct cached *cached)
{
	cached->older = shelf->newest;
	cached->newer = NULL;
	if (shelf->newest != NULL)
		shelf->newest->newer = cached;
	else
		shelf->oldest = cached;
	shelf->newest = cached;
	shelf->count++;
}

static void
shelf_take(struct cache_shelf *shelf, struct cached *cached)
{
	*(cached->newer != NULL ? &cached->newer->older : &shelf->newest) = cached->older;
	*(cached->older != NULL ? &cached->older->newer : &shelf->oldest) = cached->newer;
	shelf->count--;
}

static size_t
weight(const struct cached *cached)
{
	return sizeof(*cached) + cached->name_size + cached->warm_size;
}

static struct cached **
place_of(struct cache *cache, struct slice name, uint64_t hash)
{
	struct cached **place = &cache->buckets[hash & (cache->bucket_count - 1)];

	while (*place != NULL &&
	       !((*place)->hash == hash && slice_equal(slice_from((*place)->name, (*place)->name_size), name)))
		place = &(*place)->next;
	return place;
}

/* Off its shelf; a warm one keeps its bytes. */
static void
unshelve(struct cache *cache, struct cached *cached)
{
	if (cached->state != 0) {
		shelf_take(&cache->hot[cached->domain], cached);
	} else {
		cache->warm.bytes -= weight(cached);
		shelf_take(&cache->warm, cached);
	}
}

void
cache_set(struct cached *cached, script_state state, stream_version version)
{
	if ((cached->state != 0) != (state != 0))
		cached->seat->users += state != 0 ? 1 : (size_t)-1;
	cached->state = state;
	cached->version = version;
}

static void
release(struct cached *cached)
{
	if (cached->state == 0)
		return;
	script_state_release(cached->seat->machine, cached->state);
	cache_set(cached, 0, 0);
}

static void
drop(struct cache *cache, struct cached *cached)
{
	struct cached **place = place_of(cache, slice_from(cached->name, cached->name_size), cached->hash);

	*place = cached->next;
	cache->count--;
	release(cached);
	free(cached->warm);
	free(cached);
}

void
cache_fini(struct cache *cache)
{
	for (size_t i = 0; cache->buckets != NULL && i < cache->bucket_count; i++)
		while (cache->buckets[i] != NULL)
			drop(cache, cache->buckets[i]);
	free(cache->buckets);
	buf_fini(&cache->scratch);
}

static void
grow(struct cache *cache)
{
	size_t wider = cache->bucket_count * 2;
	struct cached **buckets = calloc(wider, sizeof(struct cached *));

	if (buckets == NULL)
		return;
	for (size_t i = 0; i < cache->bucket_count; i++)
		for (struct cached *cached = cache->buckets[i], *next; cached != NULL; cached = next) {
			next = cached->next;
			cached->next = buckets[cached->hash & (wider - 1)];
			buckets[cached->hash & (wider - 1)] = cached;
		}
	free(cache->buckets);
	cache->buckets = buckets;
	cache->bucket_count = wider;
}

static struct cached *
make(struct cache *cache, struct slice name, uint64_t hash)
{
	struct cached *cached = calloc(1, sizeof(*cached) + name.size);
	struct cached **bucket;

	if (cached == NULL)
		return NULL;
	if (cache->count >= cache->bucket_count)
		grow(cache);
	memcpy(cached->name, name.data, name.size);
	cached->name_size = (uint16_t)name.size;
	cached->hash = hash;
	bucket = &cache->buckets[hash & (cache->bucket_count - 1)];
	cached->next = *bucket;
	*bucket = cached;
	cache->count++;
	return cached;
}

/* Bytes become a state in the entry's seat; what cannot is as good as not there. */
static void
decode(struct cached *cached, struct slice bytes)
{
	stream_version version = cached->version;
	script_state state = 0;
	struct fault fault;

	if (script_decode(cached->seat->machine, cached->aggregate, bytes, &state, &fault) != 0)
		state = 0;
	cache_set(cached, state, state != 0 ? version : 0);
}

/* The state of a warm entry comes back. */
static void
thaw(struct cached *cached)
{
	decode(cached, slice_from(cached->warm, cached->warm_size));
	free(cached->warm);
	cached->warm = NULL;
	cached->warm_size = 0;
}

static bool
encode(struct cache *cache, struct cached *cached)
{
	struct fault fault;

	buf_clear(&cache->scratch);
	return script_encode(cached->seat->machine, cached->aggregate, cached->state, &cache->scratch, &fault) == 0 &&
	       !cache->scratch.failed && cache->scratch.size < UINT32_MAX;
}

void
cache_move(struct cache *cache, struct cached *cached, struct seat *seat, uint16_t aggregate)
{
	uint64_t fold = seat_fold(seat, aggregate);
	bool same = fold == cached->fold, moves = same && cached->state != 0 && cached->seat != seat;
	stream_version version = cached->version;

	must(cached->open);
	moves = moves && encode(cache, cached);
	if (cached->seat != seat || !same)
		release(cached);
	cached->seat = seat;
	cached->aggregate = aggregate;
	cached->fold = fold;
	if (!moves)
		return;
	cached->version = version;
	decode(cached, buf_slice(&cache->scratch));
}

/* Warm bytes of another fold say nothing. */
static void
warm_up(struct cached *cached, struct seat *seat, uint16_t aggregate)
{
	cached->seat = seat;
	if (cached->fold == seat_fold(seat, aggregate)) {
		cached->aggregate = aggregate;
		thaw(cached);
		return;
	}
	free(cached->warm);
	cached->warm = NULL;
	cached->warm_size = 0;
	cached->version = 0;
}

struct cached *
cache_open(struct cache *cache, uint16_t domain, struct seat *seat, uint16_t aggregate, struct slice name,
	   uint64_t hash)
{
	struct cached *cached = *place_of(cache, name, hash);

	if (cached == NULL) {
		cached = make(cache, name, hash);
		if (cached == NULL)
			return NULL;
		cached->domain = domain;
		cached->seat = seat;
	} else {
		must(!cached->open);
		unshelve(cache, cached);
		if (cached->state == 0) {
			warm_up(cached, seat, aggregate);
		} else if (!script_state_held(cached->seat->machine, cached->state)) {
			/* Its machine had to be made anew. */
			release(cached);
			cached->seat = seat;
		}
	}
	cached->open = true;
	cached->stale = false;
	cache_move(cache, cached, seat, aggregate);
	return cached;
}

/* A hot state becomes bytes; a failure to encode only costs a load later. */
static void
freeze(struct cache *cache, unsigned domain, struct cached *cached)
{
	stream_version version = cached->version;

	shelf_take(&cache->hot[domain], cached);
	if (encode(cache, cached) && (cached->warm = malloc(cache->scratch.size + 1)) != NULL) {
		memcpy(cached->warm, cache->scratch.data, cache->scratch.size);
		cached->warm_size = (uint32_t)cache->scratch.size;
		release(cached);
		cached->version = version;
		cache->warm.bytes += weight(cached);
		shelf_put(&cache->warm, cached);
	} else {
		drop(cache, cached);
	}
}

static void
shrink(struct cache *cache, unsigned domain)
{
	while (cache->hot[domain].count > cache->hot_limit)
		freeze(cache, domain, cache->hot[domain].oldest);
	while (cache->warm.bytes > cache->warm_limit) {
		struct cached *oldest = cache->warm.oldest;

		cache->warm.bytes -= weight(oldest);
		shelf_take(&cache->warm, oldest);
		drop(cache, oldest);
	}
}

void
cache_close(struct cache *cache, struct cached *cached)
{
	must(cached->open);
	cached->open = false;
	if (cached->state == 0 || cached->stale) {
		drop(cache, cached);
		return;
	}
	shelf_put(&cache->hot[cached->domain], cached);
	shrink(cache, cached->domain);
}

void
cache_empty(struct cache *cache, struct cached *cached)
{
	must(cached->open);
	(void)cache;
	release(cached);
	cached->version = 0;
}

/* NULL also when the entry has a holder. */
static struct cached *
open_free(struct cache *cache, uint16_t domain, struct seat *seat, uint16_t aggregate, struct slice name, uint64_t hash)
{
	const struct cached *cached = *place_of(cache, name, hash);

	return cached != NULL && cached->open ? NULL : cache_open(cache, domain, seat, aggregate, name, hash);
}

bool
cache_take(struct cache *cache, uint16_t domain, struct seat *seat, uint16_t aggregate, struct slice name,
	   uint64_t hash, script_state *state, stream_version *version)
{
	struct cached *cached = open_free(cache, domain, seat, aggregate, name, hash);

	*state = 0;
	*version = 0;
	if (cached == NULL)
		return false;
	if (cached->state != 0 && !script_state_held(seat->machine, cached->state))
		cache_empty(cache, cached);
	*state = cached->state;
	*version = cached->state != 0 ? cached->version : 0;
	cache_set(cached, 0, 0);
	cache_close(cache, cached);
	return *state != 0;
}

bool
cache_keep(struct cache *cache, uint16_t domain, struct seat *seat, uint16_t aggregate, struct slice name,
	   uint64_t hash, script_state state, stream_version version, bool behind)
{
	struct cached *cached;

	if (!script_state_held(seat->machine, state))
		return false;
	cached = open_free(cache, domain, seat, aggregate, name, hash);
	if (cached == NULL)
		return false;
	cache_empty(cache, cached);
	cache_set(cached, state, version);
	cached->behind = behind;
	cache_close(cache, cached);
	return true;
}

static bool
has_fold(const struct seat *seat, uint64_t fold)
{
	for (size_t i = 0; i < seat->rules->program->aggregate_count; i++)
		if (seat_fold(seat, (uint16_t)i) == fold)
			return true;
	return false;
}

size_t
cache_leave(struct cache *cache, unsigned domain, const struct seat *seat, const struct seat *next, size_t most)
{
	struct cached *cached = cache->hot[domain].oldest;
	size_t left = 0;

	while (cached != NULL && left < most) {
		struct cached *newer = cached->newer;

		if (cached->seat == seat) {
			left++;
			if (next != NULL && has_fold(next, cached->fold)) {
				freeze(cache, domain, cached);
			} else {
				shelf_take(&cache->hot[domain], cached);
				drop(cache, cached);
			}
		}
		cached = newer;
	}
	shrink(cache, domain);
	return left;
}

void
cache_outdate(struct cache *cache, struct slice name, uint64_t hash)
{
	struct cached *cached = *place_of(cache, name, hash);

	if (cached == NULL)
		return;
	cached->behind = true;
	cached->stale = cached->open;
}

void
cache_forget(struct cache *cache, struct slice name, uint64_t hash)
{
	struct cached *cached = *place_of(cache, name, hash);

	if (cached == NULL)
		return;
	if (cached->open) {
		cached->stale = true;
		return;
	}
	unshelve(cache, cached);
	drop(cache, cached);
}
