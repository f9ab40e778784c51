/* SPDX-License-Identifier: MIT */
/*
 * A page of a stream is asked after the other, and each would go through as many rows as a segment may have. Rows do
 * not change, so the positions found are kept, and only rows behind them are looked at.
 * Fails: CORRUPT, MEMORY, as SQL does; what was found until then is kept.
 */
#include "store/sqlite/tail.h"

#include <stdlib.h>

static int
take_row(void *self, const struct row *row, struct fault *fault)
{
	struct tail *tail = self;

	if (row->stream == tail->stream && row->version != 0) {
		if (tail->count == tail->room) {
			size_t room = tail->room != 0 ? 2 * tail->room : 256;
			log_position *wider = realloc(tail->items, room * sizeof(*wider));

			if (wider == NULL)
				return fault_set(fault, FAULT_MEMORY, "memory", "no memory to look into the log");
			tail->items = wider;
			tail->room = room;
		}
		if (tail->count == 0)
			tail->first_version = row->version;
		else if (row->version != tail->first_version + tail->count)
			return fault_set(fault, FAULT_CORRUPT, "version_gap",
					 "position %llu has version %llu, not %llu", (unsigned long long)row->position,
					 (unsigned long long)row->version,
					 (unsigned long long)(tail->first_version + tail->count));
		tail->items[tail->count++] = row->position;
	}
	tail->covered = row->position;
	return 0;
}

int
tail_scan(struct tail *tail, struct link *link, const struct candidate *segment, uint64_t stream, stream_version from,
	  struct segment_events *events, bool *whole, struct fault *fault)
{
	struct candidate rest = *segment;
	size_t skip;

	if (tail->stream != stream || tail->first != segment->range.first) {
		tail->stream = stream;
		tail->first = segment->range.first;
		tail->covered = segment->range.first - 1;
		tail->count = 0;
	}
	rest.range.first = tail->covered + 1;
	events->count = 0;
	events->first_version = 0;
	*whole = false;
	if (segment_walk(link, &rest, take_row, tail, fault) != 0)
		return -1;
	if (tail->count == 0)
		return SEGMENT_ABSENT;
	*whole = tail->first_version <= from;
	skip = *whole ? (size_t)(from - tail->first_version) : 0;
	skip = skip < tail->count ? skip : tail->count;
	events->last_version = tail->first_version + tail->count - 1;
	events->first_version = tail->first_version + skip;
	while (events->count < events->room && skip < tail->count)
		events->items[events->count++] = tail->items[skip++];
	return SEGMENT_FOUND;
}

void
tail_fini(struct tail *tail)
{
	free(tail->items);
	*tail = (struct tail){ 0 };
}
