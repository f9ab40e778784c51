/* SPDX-License-Identifier: MIT */
/*
 * Questions take the lock, copy what they need and leave; what must be looked up on disk is named by number, newest
 * first. A segment is on disk, durably, before it is named here, so whoever begins to read after asking finds it.
 */
#include "store/sqlite/index.h"

#include <stdlib.h>

#include "base/fault.h"
#include "store/sqlite/bytes.h"

void
index_init(struct index *index, uint64_t seed)
{
	*index = (struct index){ .seed = seed, .segment_entries = SEGMENT_SIZE };
	pthread_mutex_init(&index->lock, NULL);
}

void
sealed_free(struct sealed *sealed)
{
	if (sealed == NULL)
		return;
	bloom_fini(&sealed->names);
	bloom_fini(&sealed->streams);
	bloom_fini(&sealed->commands);
	free(sealed);
}

void
index_fini(struct index *index)
{
	for (size_t i = 0; i < index->sealed_count; i++)
		sealed_free(index->sealed[i]);
	for (size_t i = 0; i < index->live_count; i++)
		live_free(index->live[i]);
	live_free(index->spare);
	free(index->sealed);
	rack_fini(&index->commands);
	pthread_mutex_destroy(&index->lock);
}

void
candidates_fini(struct candidates *candidates)
{
	free(candidates->items);
	*candidates = (struct candidates){ NULL, 0, 0 };
}

uint64_t
index_hash_name(const struct index *index, struct slice name)
{
	return slice_hash(name, index->seed);
}

uint64_t
index_hash_stream(const struct index *index, uint64_t stream)
{
	uint8_t bytes[8];

	bytes_put_u64(bytes, stream);
	return slice_hash(slice_from(bytes, sizeof(bytes)), index->seed);
}

uint64_t
index_hash_command(const struct index *index, const struct command_id *id)
{
	return slice_hash(slice_from(id->bytes, sizeof(id->bytes)), index->seed);
}

/* What comes after the last sealed segment, to be read from the log itself. */
static struct candidate
tail(const struct index *index)
{
	struct candidate rest = { { .number = 0, .first = 1, .first_bare = 1, .first_born = 1 }, true };

	if (index->sealed_count != 0) {
		const struct segment_range *last = &index->sealed[index->sealed_count - 1]->range;

		rest.range.first = last->last + 1;
		rest.range.first_bare = last->last_bare + 1;
		rest.range.first_born = last->last_born + 1;
	}
	rest.range.last = rest.range.last_bare = rest.range.last_born = INT64_MAX;
	return rest;
}

/* Room for a candidate from every sealed segment; the lock is taken, and may be let go in between. */
static int
lock_with_room(struct index *index, struct candidates *candidates)
{
	candidates->count = 0;
	pthread_mutex_lock(&index->lock);
	while (candidates->room < index->sealed_count + 1) {
		size_t room = index->sealed_count + 16;
		struct candidate *items;

		pthread_mutex_unlock(&index->lock);
		items = realloc(candidates->items, room * sizeof(*items));
		if (items == NULL)
			return -1;
		candidates->items = items;
		candidates->room = room;
		pthread_mutex_lock(&index->lock);
	}
	if (!index->complete)
		candidates->items[candidates->count++] = tail(index);
	return 0;
}

static void
add_candidate(struct candidates *candidates, const struct sealed *sealed)
{
	candidates->items[candidates->count++] = (struct candidate){ sealed->range, sealed->damaged };
}

int
index_name(struct index *index, struct slice name, uint64_t *stream, struct candidates *candidates)
{
	uint64_t hash = index_hash_name(index, name);

	*stream = 0;
	if (lock_with_room(index, candidates) != 0)
		return -1;
	for (size_t i = index->live_count; i-- > 0 && *stream == 0;)
		*stream = live_find_name(index->live[i], hash, name);
	for (size_t i = index->sealed_count; i-- > 0 && *stream == 0;)
		if (index->sealed[i]->damaged || bloom_maybe(&index->sealed[i]->names, hash))
			add_candidate(candidates, index->sealed[i]);
	pthread_mutex_unlock(&index->lock);
	return 0;
}

/* Positions of versions from..from+room-1 of one live segment, found from the last one back. */
static size_t
walk(const struct live *live, const struct live_stream *stream, stream_version from, log_position *positions,
     size_t room)
{
	stream_version last = stream->first_version + stream->count - 1, version = last;
	uint32_t offset = stream->last;
	size_t count;

	if (last < from || stream->count == 0)
		return 0;
	count = (size_t)(last - (from > stream->first_version ? from : stream->first_version) + 1);
	for (;; version--, offset = live->previous[offset]) {
		size_t at = (size_t)(version - (last - count + 1));

		if (at < room)
			positions[at] = live->first + offset;
		if (at == 0)
			return count < room ? count : room;
	}
}

int
index_stream(struct index *index, uint64_t stream, stream_version from, log_position *positions, size_t room,
	     struct live_answer *answer, struct candidates *candidates)
{
	uint64_t hash = index_hash_stream(index, stream);

	*answer = (struct live_answer){ 0 };
	if (lock_with_room(index, candidates) != 0)
		return -1;
	for (size_t i = 0; i < index->live_count; i++) {
		const struct live_stream *found = live_find(index->live[i], stream);

		if (found == NULL)
			continue;
		if (!answer->known)
			answer->first_version = found->first_version;
		answer->known = true;
		answer->version = found->first_version + found->count - 1;
		answer->count += walk(index->live[i], found, from, positions + answer->count, room - answer->count);
	}
	if (!answer->known || answer->first_version > from)
		for (size_t i = index->sealed_count; i-- > 0;)
			if (index->sealed[i]->damaged || bloom_maybe(&index->sealed[i]->streams, hash))
				add_candidate(candidates, index->sealed[i]);
	pthread_mutex_unlock(&index->lock);
	return 0;
}

/* A damaged segment is asked whatever its filter says. */
static void
maybe_command(void *self, const void *owner)
{
	const struct sealed *sealed = owner;

	if (!sealed->damaged)
		add_candidate(self, sealed);
}

int
index_command(struct index *index, const struct command_id *id, int64_t *place, struct candidates *candidates)
{
	uint64_t hash = index_hash_command(index, id);

	*place = 0;
	if (lock_with_room(index, candidates) != 0)
		return -1;
	for (size_t i = index->live_count; i-- > 0 && *place == 0;)
		*place = live_find_command(index->live[i], hash, id);
	if (*place == 0)
		rack_ask(&index->commands, hash, maybe_command, candidates);
	for (size_t i = index->sealed_count; i-- > 0 && *place == 0 && index->damages != 0;)
		if (index->sealed[i]->damaged && !index->sealed[i]->forgotten)
			add_candidate(candidates, index->sealed[i]);
	pthread_mutex_unlock(&index->lock);
	return 0;
}

void
index_mark_damaged(struct index *index, uint64_t number)
{
	pthread_mutex_lock(&index->lock);
	for (size_t i = 0; i < index->sealed_count; i++)
		if (index->sealed[i]->range.number == number && !index->sealed[i]->damaged) {
			index->sealed[i]->damaged = true;
			index->damages++;
		}
	pthread_mutex_unlock(&index->lock);
}

bool
index_is_forgotten(struct index *index, uint64_t number)
{
	bool forgotten = false;

	pthread_mutex_lock(&index->lock);
	for (size_t i = 0; i < index->sealed_count; i++)
		forgotten = forgotten || (index->sealed[i]->range.number == number && index->sealed[i]->forgotten);
	pthread_mutex_unlock(&index->lock);
	return forgotten;
}

struct live *
index_filling(struct index *index)
{
	return index->live[index->live_count - 1];
}

/* Tells an empty segment that it comes after the last one. */
static void
continue_log(const struct index *index, struct live *next)
{
	next->number = next->first = next->first_bare = next->first_born = 1;
	if (index->live_count != 0) {
		const struct live *last = index->live[index->live_count - 1];

		next->number = last->number + 1;
		next->first = last->first + last->entries;
		next->first_bare = last->first_bare + last->bares;
		next->first_born = last->first_born + last->born;
	} else if (index->sealed_count != 0) {
		const struct segment_range *last = &index->sealed[index->sealed_count - 1]->range;

		next->number = last->number + 1;
		next->first = last->last + 1;
		next->first_bare = last->last_bare + 1;
		next->first_born = last->last_born + 1;
	}
}

int
index_reserve(struct index *index, size_t more)
{
	size_t left = 0;

	if (index->live_count != 0) {
		const struct live *filling = index_filling(index);

		left = filling->limit - filling->entries - filling->bares;
	}
	if (more <= left || index->spare != NULL)
		return 0;
	if (index->live_count == LIVE_MAX)
		return -1;
	index->spare = live_new(index->segment_entries);
	return index->spare != NULL ? 0 : -1;
}

void
index_lock_filling(struct index *index)
{
	pthread_mutex_lock(&index->lock);
}

void
index_unlock_filling(struct index *index)
{
	pthread_mutex_unlock(&index->lock);
}

struct live *
index_take_place(struct index *index)
{
	if (index->live_count == 0 || live_is_full(index_filling(index))) {
		must(index->spare != NULL && index->live_count < LIVE_MAX);
		continue_log(index, index->spare);
		index->live[index->live_count++] = index->spare;
		index->spare = NULL;
	}
	return index_filling(index);
}

/* The filter goes from the segment into the rack, where nobody sees it yet; no shelf: it has none. */
static int
put_filter(struct index *index, struct sealed *sealed, struct rack_place *place)
{
	*place = (struct rack_place){ NULL, 0 };
	if (sealed->damaged || sealed->forgotten)
		return 0;
	if (rack_put(&index->commands, &sealed->commands, sealed, place) != 0)
		return -1;
	bloom_fini(&sealed->commands);
	return 0;
}

static void
show_filter(struct index *index, struct rack_place place)
{
	if (place.shelf != NULL)
		rack_show(&index->commands, place);
}

int
index_add_sealed(struct index *index, struct sealed *sealed, bool from_live)
{
	struct live *done = NULL;
	struct sealed **items = index->sealed, **old = NULL;
	size_t room = index->sealed_room;
	struct rack_place place;

	if (index->sealed_count == room) {
		room = room != 0 ? room * 2 : 64;
		items = malloc(room * sizeof(struct sealed *));
		if (items == NULL)
			return -1;
		if (index->sealed_count != 0)
			memcpy(items, index->sealed, index->sealed_count * sizeof(struct sealed *));
		old = index->sealed;
	}
	if (put_filter(index, sealed, &place) != 0) {
		if (items != index->sealed)
			free(items);
		return -1;
	}
	pthread_mutex_lock(&index->lock);
	index->sealed = items;
	index->sealed_room = room;
	index->sealed[index->sealed_count++] = sealed;
	show_filter(index, place);
	if (from_live) {
		done = index->live[0];
		index->live_count--;
		memmove(index->live, index->live + 1, index->live_count * sizeof(struct live *));
	}
	pthread_mutex_unlock(&index->lock);
	free(old);
	live_free(done);
	return 0;
}

int
index_replace_sealed(struct index *index, struct sealed *sealed)
{
	struct sealed *old = NULL;
	struct rack_place place, before = { NULL, 0 };

	for (size_t i = 0; i < index->sealed_count; i++)
		if (index->sealed[i]->range.number == sealed->range.number)
			sealed->forgotten = index->sealed[i]->forgotten;
	if (put_filter(index, sealed, &place) != 0)
		return -1;
	pthread_mutex_lock(&index->lock);
	for (size_t i = 0; i < index->sealed_count && old == NULL; i++)
		if (index->sealed[i]->range.number == sealed->range.number) {
			old = index->sealed[i];
			before = rack_hide(&index->commands, old);
			index->sealed[i] = sealed;
			show_filter(index, place);
		}
	pthread_mutex_unlock(&index->lock);
	must(old != NULL);
	rack_clear(before);
	sealed_free(old);
	return 0;
}

void
index_drop_sealed(struct index *index)
{
	struct sealed *last = index->sealed[--index->sealed_count];

	rack_clear(rack_hide(&index->commands, last));
	sealed_free(last);
}

void
index_forget_commands(struct index *index, struct sealed *sealed)
{
	struct rack_place place;

	pthread_mutex_lock(&index->lock);
	sealed->forgotten = true;
	place = rack_hide(&index->commands, sealed);
	pthread_mutex_unlock(&index->lock);
	rack_clear(place);
}
