/* SPDX-License-Identifier: MIT */
#include "core/parked.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"

struct parked_key
parked_key_make(struct slice lane, struct slice key)
{
	struct digest_state state;
	struct parked_key made;
	struct digest digest;

	digest_init(&state);
	digest_add_slice(&state, lane);
	digest_add_slice(&state, key);
	digest_end(&state, &digest);
	memcpy(made.bytes, digest.bytes, sizeof(made.bytes));
	return made;
}

void
parked_key_text(const struct parked_key *key, char text[PARKED_TEXT_SIZE])
{
	for (size_t i = 0; i < sizeof(key->bytes); i++)
		snprintf(text + 2 * i, 3, "%02x", key->bytes[i]);
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
parked_key_parse(struct slice text, struct parked_key *key)
{
	if (text.size != PARKED_TEXT_SIZE - 1)
		return false;
	for (size_t i = 0; i < sizeof(key->bytes); i++) {
		int high = digit(text.data[2 * i]), low = digit(text.data[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key->bytes[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}

/* The bytes are a digest's: any of them is as good as a hash. */
static struct parked_item **
place_of(struct parked_set *set, const struct parked_key *key)
{
	struct parked_item **place = &set->buckets[key->bytes[0]];

	while (*place != NULL && memcmp(&(*place)->key, key, sizeof(*key)) != 0)
		place = &(*place)->next;
	return place;
}

uint64_t
parked_count(const struct parked_set *set, const struct parked_key *key)
{
	const struct parked_item *item = set->count != 0 ? *place_of((struct parked_set *)set, key) : NULL;

	return item != NULL ? item->count : 0;
}

bool
parked_put(struct parked_set *set, const struct parked_key *key, uint64_t count)
{
	struct parked_item **place = place_of(set, key), *item = *place;

	if (count == 0) {
		if (item == NULL)
			return true;
		*place = item->next;
		set->count--;
		free(item);
		return true;
	}
	if (item == NULL) {
		item = calloc(1, sizeof(*item));
		if (item == NULL)
			return false;
		item->key = *key;
		item->next = NULL;
		*place = item;
		set->count++;
	}
	item->count = count;
	return true;
}

void
parked_empty(struct parked_set *set)
{
	for (size_t i = 0; i < PARKED_BUCKETS; i++)
		while (set->buckets[i] != NULL) {
			struct parked_item *item = set->buckets[i];

			set->buckets[i] = item->next;
			free(item);
		}
	set->count = 0;
}
