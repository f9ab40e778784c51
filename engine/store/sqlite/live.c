/* SPDX-License-Identifier: MIT */
/*
 * Three lists in the order of arrival, each with an open-addressing table of fixed size, twice the limit, so that
 * adding never fails or stalls. All lie in one mapping of their own: its pages are zero until touched, and lists are
 * touched one after the other, so a segment takes memory as it fills and gives it back when it goes. (calloc clears,
 * and so touches, what it gives for the second time.) The events of one stream are a chain of offsets from the last to
 * the first.
 * Fails: without memory, only in live_new and for names.
 */
#include "store/sqlite/live.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/fault.h"

/* A slot, 0 when free: the item's number in its list, from 1; above it bits of the hash, to read few others. */
#define ITEM_BITS 18
#define ITEM_MASK (((uint32_t)1 << ITEM_BITS) - 1)

_Static_assert(SEGMENT_SIZE <= ITEM_MASK, "an item's number fits");

struct probe {
	uint32_t at;
	uint32_t mark;
};

/* The next `count` items of the mapping, or of its size when there is none yet. */
static void *
carve(struct live *live, size_t *at, size_t count, size_t size)
{
	size_t here = *at;

	*at += (count * size + 15) & ~(size_t)15;
	return live->pages != NULL ? (char *)live->pages + here : NULL;
}

static size_t
lay_out(struct live *live)
{
	size_t at = 0;

	live->streams = carve(live, &at, live->limit, sizeof(*live->streams));
	live->names = carve(live, &at, live->limit, sizeof(*live->names));
	live->commands = carve(live, &at, live->limit, sizeof(*live->commands));
	live->previous = carve(live, &at, live->limit, sizeof(*live->previous));
	live->stream_slots = carve(live, &at, live->slots, sizeof(uint32_t));
	live->name_slots = carve(live, &at, live->slots, sizeof(uint32_t));
	live->command_slots = carve(live, &at, live->slots, sizeof(uint32_t));
	return at;
}

struct live *
live_new(uint32_t limit)
{
	struct live *live = calloc(1, sizeof(*live));
	void *pages;

	if (live == NULL)
		return NULL;
	live->limit = limit;
	for (live->slots = 64; live->slots < 2 * limit;)
		live->slots *= 2;
	arena_init(&live->arena, SIZE_MAX);
	live->size = lay_out(live);
	pages = mmap(NULL, live->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED) {
		free(live);
		return NULL;
	}
	live->pages = pages;
	lay_out(live);
	return live;
}

void
live_free(struct live *live)
{
	if (live == NULL)
		return;
	munmap(live->pages, live->size);
	arena_fini(&live->arena);
	free(live);
}

bool
live_is_full(const struct live *live)
{
	return live->entries + live->bares >= live->limit;
}

static struct probe
probe_of(const struct live *live, uint64_t hash)
{
	return (struct probe){ (uint32_t)hash & (live->slots - 1), (uint32_t)(hash >> 32) & ~ITEM_MASK };
}

/* Ids are given one after the other, so a multiplication spreads them well enough. */
static uint64_t
hash_of_stream(uint64_t id)
{
	uint64_t product = id * 0x9e3779b97f4a7c15u;

	return product ^ product >> 32;
}

/* The next item, from 1, that may be the one that is looked for; 0: it is not here, and the probe is at a free slot. */
static uint32_t
next_item(const struct live *live, const uint32_t *slots, struct probe *probe)
{
	for (uint32_t slot; (slot = slots[probe->at]) != 0;) {
		if ((slot & ~ITEM_MASK) == probe->mark) {
			probe->at = (probe->at + 1) & (live->slots - 1);
			return slot & ITEM_MASK;
		}
		probe->at = (probe->at + 1) & (live->slots - 1);
	}
	return 0;
}

static void
put_item(const struct live *live, uint32_t *slots, uint64_t hash, uint32_t item)
{
	struct probe probe = probe_of(live, hash);

	while (slots[probe.at] != 0)
		probe.at = (probe.at + 1) & (live->slots - 1);
	slots[probe.at] = probe.mark | item;
}

static struct live_stream *
find_stream(const struct live *live, uint64_t id)
{
	struct probe probe = probe_of(live, hash_of_stream(id));
	uint32_t item;

	while ((item = next_item(live, live->stream_slots, &probe)) != 0)
		if (live->streams[item - 1].id == id)
			return &live->streams[item - 1];
	return NULL;
}

void
live_add(struct live *live, uint64_t stream, stream_version head_before, stream_version version, int64_t time)
{
	struct live_stream *known = find_stream(live, stream);
	uint32_t offset = live->entries++;

	live->last_time = time;
	if (known == NULL) {
		known = &live->streams[live->stream_count++];
		*known = (struct live_stream){ stream, head_before + 1, 0, 0 };
		put_item(live, live->stream_slots, hash_of_stream(stream), live->stream_count);
	}
	if (version == 0)
		return;
	if (known->count == 0)
		known->first_version = version;
	live->previous[offset] = known->last;
	known->last = offset;
	known->count++;
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

	/* The commit is durable and must be known from here on: without memory for that, start anew. */
	must(copy.data != NULL && live->born < live->limit);
	live->names[live->born++] = (struct live_name){ hash, id, copy };
	put_item(live, live->name_slots, hash, live->born);
}

void
live_add_command(struct live *live, uint64_t hash, const struct command_id *id, int64_t place)
{
	must(live->command_count < live->limit);
	live->commands[live->command_count++] = (struct live_command){ *id, place };
	put_item(live, live->command_slots, hash, live->command_count);
}

const struct live_stream *
live_find(const struct live *live, uint64_t stream)
{
	return find_stream(live, stream);
}

uint64_t
live_find_name(const struct live *live, uint64_t hash, struct slice name)
{
	struct probe probe = probe_of(live, hash);
	uint32_t item;

	while ((item = next_item(live, live->name_slots, &probe)) != 0)
		if (live->names[item - 1].hash == hash && slice_equal(live->names[item - 1].name, name))
			return live->names[item - 1].id;
	return 0;
}

int64_t
live_find_command(const struct live *live, uint64_t hash, const struct command_id *id)
{
	struct probe probe = probe_of(live, hash);
	uint32_t item;

	while ((item = next_item(live, live->command_slots, &probe)) != 0)
		if (memcmp(&live->commands[item - 1].id, id, sizeof(*id)) == 0)
			return live->commands[item - 1].place;
	return 0;
}
