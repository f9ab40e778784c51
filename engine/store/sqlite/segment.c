/* SPDX-License-Identifier: MIT */
/*
 * A lookup seeks the block with the greatest key not after the wanted one, and reads on while the next block begins
 * with it too. A block that is wrong, or a next block that is not where the one before says, is SEGMENT_DAMAGED.
 * Fails: as SQL does.
 */
#include "store/sqlite/segment.h"

/* The block for a key; kept in the statement until it is reset. */
static int
seek(struct link *link, sqlite3_stmt *statement, struct block_key *key, bool hash, struct block_reader *reader,
     struct fault *fault)
{
	struct fault trouble;
	int stepped = link_step(link, statement, &trouble);

	if (stepped < 0 && trouble.class != FAULT_CORRUPT) {
		*fault = trouble;
		return -1;
	}
	if (stepped <= 0)
		return SEGMENT_DAMAGED;
	if (!hash)
		key->major = link_int(statement, 0);
	key->minor = link_int(statement, hash ? 0 : 1);
	return block_open(reader, link_slice(statement, hash ? 1 : 2), key) ? SEGMENT_FOUND : SEGMENT_DAMAGED;
}

int
segment_hash(struct link *link, enum hash_kind kind, const struct candidate *segment, uint64_t prefix,
	     uint64_t references[SEGMENT_MATCHES], size_t *count, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, SQL_HASH_BLOCK, fault);
	struct block_key key = { segment->range.number, (uint64_t)kind, 0 };
	struct block_reader reader;
	struct hash_item item;
	int answer;

	*count = 0;
	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, segment->range.number);
	link_bind_int(statement, 2, (uint64_t)kind);
	link_bind_int(statement, 3, prefix);
	answer = seek(link, statement, &key, true, &reader, fault);
	if (answer == SEGMENT_FOUND && reader.next_minor != 0 && prefix >= reader.next_minor)
		answer = SEGMENT_DAMAGED;
	while (answer == SEGMENT_FOUND && !block_done(&reader)) {
		if (!block_next_hash(&reader, &item))
			answer = SEGMENT_DAMAGED;
		else if (item.prefix > prefix)
			break;
		else if (item.prefix == prefix && *count < SEGMENT_MATCHES)
			references[(*count)++] = item.reference;
	}
	sqlite3_reset(statement);
	return answer == SEGMENT_FOUND && *count == 0 ? SEGMENT_ABSENT : answer;
}

static int
open_stream_block(struct link *link, const struct candidate *segment, uint64_t stream, stream_version version,
		  struct block_reader *reader, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, SQL_STREAM_BLOCK, fault);
	struct block_key key = { segment->range.number, 0, 0 };
	int answer;

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, segment->range.number);
	link_bind_int(statement, 2, stream);
	link_bind_int(statement, 3, version);
	answer = seek(link, statement, &key, false, reader, fault);
	if (answer != SEGMENT_FOUND || reader->next_major == 0)
		return answer;
	if (reader->next_major < stream || (reader->next_major == stream && reader->next_minor <= version))
		return SEGMENT_DAMAGED; /* the block that should have been found is not there */
	return SEGMENT_FOUND;
}

static void
close_stream_block(struct link *link)
{
	sqlite3_reset(link->statements[SQL_STREAM_BLOCK]);
}

int
segment_version(struct link *link, const struct candidate *segment, uint64_t stream, stream_version *version,
		struct fault *fault)
{
	struct block_reader reader;
	struct stream_item item;
	bool found = false;
	int answer = open_stream_block(link, segment, stream, INT64_MAX, &reader, fault);

	while (answer == SEGMENT_FOUND && !block_done(&reader)) {
		if (!block_next_stream(&reader, &item) || !block_skip_offsets(&reader, &item)) {
			answer = SEGMENT_DAMAGED;
		} else if (item.stream > stream) {
			break;
		} else if (item.stream == stream) {
			*version = item.first_version + item.count - 1;
			found = true;
		}
	}
	close_stream_block(link);
	return answer == SEGMENT_FOUND && !found ? SEGMENT_ABSENT : answer;
}

/* Adds one item's events from version `from` on. */
static bool
take_item(struct block_reader *reader, struct stream_item *item, const struct candidate *segment, stream_version from,
	  struct segment_events *events)
{
	for (stream_version version = item->first_version; item->left != 0; version++) {
		uint32_t offset;

		if (!block_next_offset(reader, item, &offset))
			return false;
		if (version < from)
			continue;
		if (events->first_version == 0)
			events->first_version = version;
		if (events->count < events->room)
			events->items[events->count++] = segment->range.first + offset;
	}
	return true;
}

/* The items of one block. *more: the stream goes on in the block whose key `next` names. */
static int
take_block(struct block_reader *reader, const struct candidate *segment, uint64_t stream, stream_version from,
	   struct segment_events *events, bool *whole, bool *found)
{
	struct stream_item item;

	while (!block_done(reader)) {
		if (!block_next_stream(reader, &item))
			return SEGMENT_DAMAGED;
		if (item.stream > stream)
			return SEGMENT_FOUND;
		if (item.stream < stream) {
			if (!block_skip_offsets(reader, &item))
				return SEGMENT_DAMAGED;
			continue;
		}
		if (!*found)
			*whole = item.first_version <= from;
		else if (item.first_version != events->last_version + 1)
			return SEGMENT_DAMAGED;
		*found = true;
		events->last_version = item.first_version + item.count - 1;
		if (!take_item(reader, &item, segment, from, events))
			return SEGMENT_DAMAGED;
	}
	return SEGMENT_FOUND;
}

int
segment_events(struct link *link, const struct candidate *segment, uint64_t stream, stream_version from,
	       struct segment_events *events, bool *whole, struct fault *fault)
{
	stream_version seek_version = from;
	bool found = false, more = true;
	int answer = SEGMENT_FOUND;

	events->count = 0;
	events->first_version = 0;
	*whole = false;
	while (more && answer == SEGMENT_FOUND) {
		struct block_reader reader;

		answer = open_stream_block(link, segment, stream, seek_version, &reader, fault);
		if (answer == SEGMENT_FOUND)
			answer = take_block(&reader, segment, stream, from, events, whole, &found);
		more = answer == SEGMENT_FOUND && reader.next_major == stream;
		seek_version = more ? reader.next_minor : 0;
		close_stream_block(link);
	}
	if (found && events->first_version == 0)
		events->first_version = events->last_version + 1;
	return answer == SEGMENT_FOUND && !found ? SEGMENT_ABSENT : answer;
}

/* The log's own rows, each with its seal looked at and none missing: an event that is damaged must not seem absent. */
int
segment_walk(struct link *link, const struct candidate *segment,
	     int (*each)(void *self, const struct row *row, struct fault *fault), void *self, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, SQL_WALK_ENTRIES, fault);
	log_position next = segment->range.first;
	int stepped = 1;

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, next - 1);
	while (next <= segment->range.last && (stepped = link_step(link, statement, fault)) > 0) {
		struct row row;

		stepped = row_load_narrow(statement, &row, fault);
		if (stepped == 0 && row.position != next)
			stepped = fault_set(fault, FAULT_CORRUPT, "position_gap", "position %llu is missing",
					    (unsigned long long)next);
		if (stepped == 0)
			stepped = each(self, &row, fault);
		if (stepped < 0)
			break;
		next++;
	}
	sqlite3_reset(statement);
	if (stepped == 0 && next <= segment->range.last && segment->range.last != INT64_MAX)
		return fault_set(fault, FAULT_CORRUPT, "position_gap", "position %llu is missing",
				 (unsigned long long)next);
	return stepped < 0 ? -1 : 0;
}

struct scan {
	uint64_t stream;
	stream_version from;
	struct segment_events *events;
	bool whole;
	bool found;
};

static int
scan_row(void *self, const struct row *row, struct fault *fault)
{
	struct scan *scan = self;
	struct segment_events *events = scan->events;

	(void)fault;
	if (row->stream != scan->stream || row->version == 0)
		return 0;
	if (!scan->found)
		scan->whole = row->version <= scan->from;
	scan->found = true;
	events->last_version = row->version;
	if (row->version < scan->from)
		return 0;
	if (events->first_version == 0)
		events->first_version = row->version;
	if (events->count < events->room)
		events->items[events->count++] = row->position;
	return 0;
}

int
segment_scan(struct link *link, const struct candidate *segment, uint64_t stream, stream_version from,
	     struct segment_events *events, bool *whole, struct fault *fault)
{
	struct scan scan = { .stream = stream, .from = from, .events = events };

	events->count = 0;
	events->first_version = 0;
	if (segment_walk(link, segment, scan_row, &scan, fault) != 0)
		return -1;
	if (scan.found && events->first_version == 0)
		events->first_version = events->last_version + 1;
	*whole = scan.whole;
	return scan.found ? SEGMENT_FOUND : SEGMENT_ABSENT;
}
