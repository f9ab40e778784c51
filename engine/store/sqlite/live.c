/* SPDX-License-Identifier: MIT */
/*
 * Three open-addressing tables of fixed size, twice the limit, so that adding never fails or stalls; their pages are
 * zero until touched. The events of one stream are a chain of offsets from the last to the first.
 * Fails: without memory, only in live_new and for names.
 */
#include "store/sqlite/live.h"

#include <stdlib.h>

#include "base/fault.h"

struct live *
live_new(uint32_t limit)
{
	struct live *live = calloc(1, sizeof(*live));

	if (live == NULL)
		return NULL;
	live->limit = limit;
	for (live->slots = 64; live->slots < 2 * limit;)
		live->slots *= 2;
	arena_init(&live->arena, SIZE_MAX);
	live->previous = calloc((size_t)limit + 1, sizeof(*live->previous));
	live->streams = calloc(live->slots, sizeof(*live->streams));
	live->names = calloc(live->slots, sizeof(*live->names));
	live->commands = calloc(live->slots, sizeof(*live->commands));
	if (live->previous == NULL || live->streams == NULL || live->names == NULL || live->commands == NULL) {
		live_free(live);
		return NULL;
	}
	return live;
}

void
live_free(struct live *live)
{
	if (live == NULL)
		return;
	free(live->previous);
	free(live->streams);
	free(live->names);
	free(live->commands);
	arena_fini(&live->arena);
	free(live);
}

bool
live_is_full(const struct live *live)
{
	return live->entries + live->bares >= live->limit;
}

/* Ids are given one after the other, so a multiplication spreads them well enough. */
static struct live_stream *
stream_slot(const struct live *live, uint64_t id)
{
	size_t at = (size_t)((id * 0x9e3779b97f4a7c15u) >> 40) & (live->slots - 1);

	while (live->streams[at].id != 0 && live->streams[at].id != id)
		at = (at + 1) & (live->slots - 1);
	return &live->streams[at];
}

void
live_add(struct live *live, uint64_t stream, stream_version head_before, stream_version version, int64_t time)
{
	struct live_stream *slot = stream_slot(live, stream);
	uint32_t offset = live->entries++;

	live->last_time = time;
	if (slot->id == 0) {
		*slot = (struct live_stream){ stream, head_before + 1, 0, 0 };
		live->stream_count++;
	}
	if (version == 0)
		return;
	if (slot->count == 0)
		slot->first_version = version;
	live->previous[offset] = slot->last;
	slot->last = offset;
	slot->count++;
}

void
live_add_bare(struct live *live, int64_t time)
{
	live->bares++;
	live->last_time = time;
}

void
live_add_name(struct live *live, uint64_t hash, uint64_t id, struct slice name)
{
	struct slice copy = arena_copy(&live->arena, name);
	size_t at = (size_t)hash & (live->slots - 1);

	/* The commit is durable and must be known from here on: without memory for that, start anew. */
	must(copy.data != NULL);
	while (live->names[at].id != 0)
		at = (at + 1) & (live->slots - 1);
	live->names[at] = (struct live_name){ hash, id, copy };
	live->born++;
}

void
live_add_command(struct live *live, uint64_t hash, const struct command_id *id, int64_t place)
{
	size_t at = (size_t)hash & (live->slots - 1);

	while (live->commands[at].place != 0)
		at = (at + 1) & (live->slots - 1);
	live->commands[at] = (struct live_command){ *id, place };
	live->command_count++;
}

const struct live_stream *
live_find(const struct live *live, uint64_t stream)
{
	const struct live_stream *slot = stream_slot(live, stream);

	return slot->id != 0 ? slot : NULL;
}

uint64_t
live_find_name(const struct live *live, uint64_t hash, struct slice name)
{
	for (size_t at = (size_t)hash & (live->slots - 1); live->names[at].id != 0; at = (at + 1) & (live->slots - 1))
		if (live->names[at].hash == hash && slice_equal(live->names[at].name, name))
			return live->names[at].id;
	return 0;
}

int64_t
live_find_command(const struct live *live, uint64_t hash, const struct command_id *id)
{
	for (size_t at = (size_t)hash & (live->slots - 1); live->commands[at].place != 0;
	     at = (at + 1) & (live->slots - 1))
		if (memcmp(&live->commands[at].id, id, sizeof(*id)) == 0)
			return live->commands[at].place;
	return 0;
}
