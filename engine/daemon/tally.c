/* SPDX-License-Identifier: MIT */
/* An open hash table by name while the log goes by, sorted at the end. Memory follows the number of streams. */
#include "daemon/tally.h"

#include <stdlib.h>

#define TALLY_PAGE  2000
#define TALLY_FIRST 1024

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the list of streams");
}

static struct tally_stream *
place_of(struct tally_stream *streams, size_t room, struct slice name)
{
	size_t at = slice_hash(name, 0) & (room - 1);

	while (streams[at].name.data != NULL && !slice_equal(streams[at].name, name))
		at = (at + 1) & (room - 1);
	return &streams[at];
}

static int
grow(struct tally *tally, struct fault *fault)
{
	size_t room = tally->room != 0 ? tally->room * 2 : TALLY_FIRST;
	struct tally_stream *streams = calloc(room, sizeof(*streams));

	if (streams == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < tally->room; i++)
		if (tally->streams[i].name.data != NULL)
			*place_of(streams, room, tally->streams[i].name) = tally->streams[i];
	free(tally->streams);
	tally->streams = streams;
	tally->room = room;
	return 0;
}

static int
count_entry(struct tally *tally, const struct recorded_entry *entry, struct fault *fault)
{
	struct tally_stream *stream;

	if (tally->count * 2 >= tally->room && grow(tally, fault) != 0)
		return -1;
	stream = place_of(tally->streams, tally->room, entry->stream);
	if (stream->name.data == NULL) {
		stream->name = arena_copy(&tally->arena, entry->stream);
		if (stream->name.data == NULL)
			return no_memory(fault);
		tally->count++;
	}
	if (entry->version > stream->version)
		stream->version = entry->version;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	return slice_compare(((const struct tally_stream *)a)->name, ((const struct tally_stream *)b)->name);
}

static void
sort(struct tally *tally)
{
	size_t kept = 0;

	for (size_t i = 0; i < tally->room; i++)
		if (tally->streams[i].name.data != NULL)
			tally->streams[kept++] = tally->streams[i];
	if (kept != 0)
		qsort(tally->streams, kept, sizeof(*tally->streams), compare);
}

int
tally_streams(struct store_reader *reader, struct slice prefix, struct tally *tally, struct fault *fault)
{
	struct log_filter filter = { .stream_prefix = prefix };
	log_position at = 0, before;
	struct entries entries;
	struct arena page;
	int result = -1;

	*tally = (struct tally){ .count = 0 };
	arena_init(&tally->arena, SIZE_MAX);
	arena_init(&page, (size_t)256 << 20);
	do {
		before = at;
		arena_clear(&page);
		if (store_read_log(reader, at, &filter, (struct read_limit){ TALLY_PAGE, 0 }, &page, &entries, &at,
				   fault) != 0)
			goto out;
		for (size_t i = 0; i < entries.count; i++)
			if (count_entry(tally, &entries.items[i], fault) != 0)
				goto out;
	} while (at != before);
	sort(tally);
	result = 0;
out:
	arena_fini(&page);
	return result;
}

void
tally_free(struct tally *tally)
{
	free(tally->streams);
	arena_fini(&tally->arena);
}
