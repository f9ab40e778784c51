/* SPDX-License-Identifier: MIT */
/*
 * Bloom filters of many segments side by side: filters of one size share a shelf, where one word holds the same bit of
 * sixteen of them. A question then costs a few words a shelf, where filters one by one cost a few lines of cache each:
 * with 76 segments that was the larger part of an append's growth.
 *
 * One writer puts and clears, without a lock; asking, showing and hiding are under the lock of whoever owns the rack.
 */
#ifndef MOONLOG_STORE_SQLITE_RACK_H
#define MOONLOG_STORE_SQLITE_RACK_H

#include "store/sqlite/bloom.h"

#define RACK_LANES 16

struct shelf;

struct rack {
	struct shelf *first;
};

/* Where a filter stands. */
struct rack_place {
	struct shelf *shelf;
	unsigned lane;
};

/* Copies the filter to a place where nobody sees it yet. Gives 0, or -1 without memory. */
int rack_put(const struct rack *rack, const struct bloom *bloom, const void *owner, struct rack_place *place);
/* Under the lock: from now on it answers. */
void rack_show(struct rack *rack, struct rack_place place);
/* Under the lock: from now on it does not. Gives its place, to be cleared after; no shelf: it was not there. */
struct rack_place rack_hide(struct rack *rack, const void *owner);
void rack_clear(struct rack_place place);
/* Under the lock: the owners whose filters say maybe, newest shelf first, to `each`. */
void rack_ask(const struct rack *rack, uint64_t hash, void (*each)(void *self, const void *owner), void *self);
void rack_fini(struct rack *rack);

#endif
