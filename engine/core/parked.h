/* SPDX-License-Identifier: MIT */
/* Keys whose messages wait as dead letters, and how many each has: a set in memory over the store's records. */
#ifndef MOONLOG_CORE_PARKED_H
#define MOONLOG_CORE_PARKED_H

#include "base/slice.h"

#define PARKED_TEXT_SIZE 33
#define PARKED_BUCKETS   256

/* Hash of a lane and a message's key. */
struct parked_key {
	uint8_t bytes[16];
};

struct parked_item {
	struct parked_item *next;
	struct parked_key key;
	uint64_t count;
};

struct parked_set {
	struct parked_item *buckets[PARKED_BUCKETS];
	size_t count;
};

struct parked_key parked_key_make(struct slice lane, struct slice key);
void parked_key_text(const struct parked_key *key, char text[PARKED_TEXT_SIZE]);
/* Of 32 hexadecimal digits. */
bool parked_key_parse(struct slice text, struct parked_key *key);

/* 0: not in the set. */
uint64_t parked_count(const struct parked_set *set, const struct parked_key *key);
/* 0 takes it out. false when memory is out. */
bool parked_put(struct parked_set *set, const struct parked_key *key, uint64_t count);
void parked_empty(struct parked_set *set);

#endif
