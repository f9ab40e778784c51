/* SPDX-License-Identifier: MIT */
/* Names come from the store, their last positions from its index: two look-ups a stream, however long the log is. */
#include "core/shadow_streams.h"

#include <stdlib.h>

#define WORTH 32 /* entries of the log: stepping over so many takes as long as to list a stream */
#define MOST  ((size_t)100000)

size_t
shadow_streams_most(uint64_t entries)
{
	return entries / WORTH < MOST ? (size_t)(entries / WORTH) : MOST;
}

/* 0: it has no event. */
static int
find_newest(struct store_reader *reader, struct slice stream, struct arena *page, log_position *newest,
	    struct fault *fault)
{
	const struct read_limit one = { 1, 0 };
	struct entries entries = { 0 };
	stream_version last, now;

	*newest = 0;
	arena_clear(page);
	if (store_read_stream(reader, stream, STORE_BEYOND, one, page, &entries, &last, fault) != 0)
		return -1;
	if (last == 0)
		return 0;
	if (store_read_stream(reader, stream, last, one, page, &entries, &now, fault) != 0)
		return -1;
	*newest = entries.count != 0 ? entries.items[0].position : 0;
	return 0;
}

static int
add_own(struct shadow_streams *streams, const struct slice *names, size_t count, struct arena *page,
	struct fault *fault)
{
	for (size_t i = 0; i < count; i++) {
		log_position newest;

		if (shadow_stream_hash(names[i]) % streams->threads != streams->number)
			continue;
		if (find_newest(streams->reader, names[i], page, &newest, fault) != 0)
			return -1;
		if (newest != 0)
			streams->items[streams->count++] = (struct shadow_stream){ names[i], newest };
	}
	return 0;
}

static int
newest_first(const void *a, const void *b)
{
	log_position x = ((const struct shadow_stream *)a)->newest, y = ((const struct shadow_stream *)b)->newest;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* All names first: they may be too many. */
static int
list_names(struct shadow_streams *streams, struct arena *arena, struct slice **names, size_t *counts,
	   struct fault *fault)
{
	size_t left = streams->most;

	for (size_t i = 0; i < streams->prefix_count && streams->listed; i++) {
		if (store_list_streams(streams->reader, streams->prefixes[i], SLICE_NONE, left + 1, arena, &names[i],
				       &counts[i], fault) != 0)
			return -1;
		streams->listed = counts[i] <= left;
		left -= streams->listed ? counts[i] : 0;
	}
	return 0;
}

int
shadow_streams_list(struct shadow_streams *streams, struct arena *arena, struct fault *fault)
{
	struct slice **names = arena_zero(arena, streams->prefix_count, sizeof(struct slice *));
	size_t *counts = arena_zero(arena, streams->prefix_count, sizeof(*counts));
	struct arena page;
	size_t all = 0;
	int result = 0;

	if (names == NULL || counts == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to list streams");
	streams->listed = streams->most != 0;
	if (list_names(streams, arena, names, counts, fault) != 0)
		return -1;
	if (!streams->listed)
		return 0;
	for (size_t i = 0; i < streams->prefix_count; i++)
		all += counts[i];
	streams->items = arena_zero(arena, all + 1, sizeof(*streams->items));
	if (streams->items == NULL)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory to list streams");
	arena_init(&page, (size_t)64 << 20);
	for (size_t i = 0; i < streams->prefix_count && result == 0; i++)
		result = add_own(streams, names[i], counts[i], &page, fault);
	arena_fini(&page);
	if (streams->count != 0)
		qsort(streams->items, streams->count, sizeof(*streams->items), newest_first);
	return result;
}
