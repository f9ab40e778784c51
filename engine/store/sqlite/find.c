/* SPDX-License-Identifier: MIT */
/*
 * Memory is asked first, under the index's short lock; then the segments it names, newest first, on this link.
 * Fails: CORRUPT when log and index cannot be made to agree, MEMORY, as SQL does.
 */
#include "store/sqlite/find.h"

#include <stdlib.h>

#include "store/sqlite/segment.h"

#define SMALL_READ 1024 /* entries for which room is made without asking how many there are */

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory to look into the index");
}

int
finder_init(struct finder *finder, struct index *index, struct link *link, size_t heads, struct fault *fault)
{
	*finder = (struct finder){ .index = index, .link = link };
	return heads_init(&finder->heads, heads) == 0 ? 0 : no_memory(fault);
}

void
finder_fini(struct finder *finder)
{
	candidates_fini(&finder->candidates);
	tail_fini(&finder->tail);
	heads_fini(&finder->heads);
}

/* 1: the stream has this name; 0: another, by a like hash; 2: the index is wrong; -1: fault. */
static int
has_name(struct finder *finder, uint64_t stream, struct slice name, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(finder->link, SQL_STREAM_NAME, fault);
	struct slice stored;
	int answer;

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, stream);
	answer = link_step(finder->link, statement, fault);
	if (answer <= 0)
		return answer < 0 ? -1 : 2;
	stored = link_slice(statement, 0);
	if (!row_has_seal(statement, 1, row_seal_name(stream, stored)))
		answer =
			fault_set(fault, FAULT_CORRUPT, "name_mismatch",
				  "the name of stream number %llu is not what was written", (unsigned long long)stream);
	else if (slice_equal(stored, name))
		answer = 1;
	else
		answer = block_prefix(index_hash_name(finder->index, stored)) ==
					 block_prefix(index_hash_name(finder->index, name))
				 ? 0
				 : 2;
	sqlite3_reset(statement);
	return answer;
}

/* The names themselves, each with its seal looked at and none missing. */
static int
scan_name(struct finder *finder, const struct candidate *segment, struct slice name, uint64_t *stream,
	  struct fault *fault)
{
	sqlite3_stmt *statement = link_use(finder->link, SQL_TAIL_STREAMS, fault);
	uint64_t next = segment->range.first_born;
	int stepped = 1;

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, next - 1);
	for (; *stream == 0 && next <= segment->range.last_born; next++) {
		stepped = link_step(finder->link, statement, fault);
		if (stepped <= 0)
			break;
		if (link_int(statement, 0) != next ||
		    !row_has_seal(statement, 2, row_seal_name(next, link_slice(statement, 1)))) {
			stepped = fault_set(fault, FAULT_CORRUPT, "name_mismatch",
					    "the name of stream number %llu is not what was written",
					    (unsigned long long)next);
			break;
		}
		if (slice_equal(link_slice(statement, 1), name))
			*stream = next;
	}
	sqlite3_reset(statement);
	if (stepped == 0 && segment->range.last_born != INT64_MAX)
		return fault_set(fault, FAULT_CORRUPT, "name_mismatch", "stream number %llu has no name",
				 (unsigned long long)next);
	return stepped < 0 ? -1 : 0;
}

static int
name_in_segment(struct finder *finder, const struct candidate *segment, struct slice name, uint64_t *stream,
		struct fault *fault)
{
	uint64_t references[SEGMENT_MATCHES], prefix = block_prefix(index_hash_name(finder->index, name));
	size_t count = 0;
	int answer = SEGMENT_DAMAGED;

	if (!segment->damaged)
		answer = segment_hash(finder->link, HASH_NAMES, segment, prefix, references, &count, fault);
	for (size_t i = 0; answer == SEGMENT_FOUND && i < count; i++) {
		uint64_t id = segment->range.first_born + references[i];
		int same = has_name(finder, id, name, fault);

		if (same < 0)
			return -1;
		if (same == 1) {
			*stream = id;
			return 0;
		}
		if (same == 2)
			answer = SEGMENT_DAMAGED;
	}
	if (answer == SEGMENT_DAMAGED) {
		index_mark_damaged(finder->index, segment->range.number);
		return scan_name(finder, segment, name, stream, fault);
	}
	return answer < 0 ? -1 : 0;
}

int
find_stream(struct finder *finder, struct slice name, uint64_t *stream, struct fault *fault)
{
	uint64_t hash = index_hash_name(finder->index, name);
	const struct head *head = heads_get(&finder->heads, hash, name);

	*stream = head != NULL ? head->id : 0;
	if (*stream != 0)
		return 0;
	if (index_name(finder->index, name, stream, &finder->candidates) != 0)
		return no_memory(fault);
	for (size_t i = 0; i < finder->candidates.count && *stream == 0; i++)
		if (name_in_segment(finder, &finder->candidates.items[i], name, stream, fault) != 0)
			return -1;
	if (*stream != 0)
		heads_put(&finder->heads, hash, *stream, name, false, 0);
	return 0;
}

static int
scan_segment(struct finder *finder, const struct candidate *segment, uint64_t stream, stream_version from,
	     struct segment_events *events, bool *whole, struct fault *fault)
{
	if (tail_is(segment))
		return tail_scan(&finder->tail, finder->link, segment, stream, from, events, whole, fault);
	index_mark_damaged(finder->index, segment->range.number);
	return segment_scan(finder->link, segment, stream, from, events, whole, fault);
}

static int
version_in_segment(struct finder *finder, const struct candidate *segment, uint64_t stream, stream_version *version,
		   struct fault *fault)
{
	struct segment_events events = { 0 };
	bool whole;
	int answer = SEGMENT_DAMAGED;

	if (!segment->damaged)
		answer = segment_version(finder->link, segment, stream, version, fault);
	if (answer == SEGMENT_DAMAGED) {
		answer = scan_segment(finder, segment, stream, 1, &events, &whole, fault);
		*version = events.last_version;
	}
	return answer;
}

int
find_version(struct finder *finder, uint64_t stream, stream_version *version, struct fault *fault)
{
	struct live_answer live;

	*version = 0;
	if (index_stream(finder->index, stream, UINT64_MAX, NULL, 0, &live, &finder->candidates) != 0)
		return no_memory(fault);
	if (live.known) {
		*version = live.version;
		return 0;
	}
	for (size_t i = 0; i < finder->candidates.count; i++) {
		int answer = version_in_segment(finder, &finder->candidates.items[i], stream, version, fault);

		if (answer != SEGMENT_ABSENT)
			return answer < 0 ? -1 : 0;
	}
	return 0;
}

static int
make_room(struct positions *positions, size_t room, struct fault *fault)
{
	log_position *items;

	if (room <= positions->room)
		return 0;
	items = realloc(positions->items, room * sizeof(*items));
	if (items == NULL)
		return no_memory(fault);
	positions->items = items;
	positions->room = room;
	return 0;
}

/* Puts the events of an older segment before those known already. */
static int
prepend(struct positions *positions, size_t limit, struct segment_events *older, stream_version *next,
	struct fault *fault)
{
	size_t keep = positions->count;

	if (*next != 0 && older->last_version + 1 != *next)
		return fault_set(fault, FAULT_CORRUPT, "index_mismatch", "version %llu is not where the index has it",
				 (unsigned long long)older->last_version + 1);
	if (keep > limit - older->count)
		keep = limit - older->count;
	memmove(positions->items + older->count, positions->items, keep * sizeof(*positions->items));
	if (older->count != 0)
		memcpy(positions->items, older->items, older->count * sizeof(*positions->items));
	positions->count = keep + older->count;
	*next = older->first_version;
	return 0;
}

static int
gather(struct finder *finder, uint64_t stream, stream_version from, size_t limit, struct positions *positions,
       struct live_answer *live, struct fault *fault)
{
	struct segment_events events = { .room = limit, .items = malloc(limit * sizeof(log_position)) };
	stream_version next = live->known ? live->first_version : 0;
	bool whole = false;
	int result = 0;

	if (events.items == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < finder->candidates.count && !whole && result == 0; i++) {
		const struct candidate *segment = &finder->candidates.items[i];
		int answer = SEGMENT_DAMAGED;

		if (!segment->damaged)
			answer = segment_events(finder->link, segment, stream, from, &events, &whole, fault);
		if (answer == SEGMENT_DAMAGED) {
			answer = scan_segment(finder, segment, stream, from, &events, &whole, fault);
		}
		if (answer == SEGMENT_FOUND && !live->known) {
			live->known = true;
			live->version = events.last_version;
		}
		if (answer < 0 || (answer == SEGMENT_FOUND && prepend(positions, limit, &events, &next, fault) != 0))
			result = -1;
	}
	if (result == 0 && next > from && live->version >= from)
		result = fault_set(fault, FAULT_CORRUPT, "index_mismatch", "version %llu is not where the index has it",
				   (unsigned long long)from);
	free(events.items);
	return result;
}

int
find_positions(struct finder *finder, uint64_t stream, stream_version from, size_t limit, struct positions *positions,
	       stream_version *version, struct fault *fault)
{
	struct live_answer live;
	int result = -1;

	if (limit > SMALL_READ) {
		stream_version wanted;

		if (find_version(finder, stream, version, fault) != 0)
			goto out;
		/* Room for what there is, and for what is committed before it is looked at again. */
		wanted = (*version < from ? 0 : *version - from + 1) + SMALL_READ;
		if (wanted < limit)
			limit = (size_t)wanted;
	}
	if (make_room(positions, limit, fault) != 0)
		goto out;
	if (index_stream(finder->index, stream, from, positions->items, limit, &live, &finder->candidates) != 0) {
		no_memory(fault);
		goto out;
	}
	result = 0;
out:
	if (link_run(finder->link, SQL_BEGIN, result == 0 ? fault : NULL) != 0)
		return -1;
	if (result != 0)
		return -1;
	positions->count = live.count;
	if ((!live.known || live.first_version > from) &&
	    gather(finder, stream, from, limit, positions, &live, fault) != 0)
		return -1;
	*version = live.version;
	return 0;
}

/* 1: this place holds the command; 0: another; 2: the index is wrong; -1: fault. */
static int
load_command(struct finder *finder, int64_t place, const struct command_id *id, struct arena *arena,
	     struct found_command *command, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(finder->link, place > 0 ? SQL_ENTRY_AT : SQL_BARE_AT, fault);
	struct row_command stored;
	struct slice bytes;
	struct row row;
	int answer;

	if (statement == NULL)
		return -1;
	sqlite3_bind_int64(statement, 1, place > 0 ? place : -place);
	answer = link_step(finder->link, statement, fault);
	if (answer <= 0)
		return answer < 0 ? -1 : 2;
	answer = 2;
	if (place > 0 && row_load(statement, &row, fault) != 0) {
		answer = -1;
		goto out;
	}
	bytes = place > 0 ? row.command : link_slice(statement, 3);
	if (place < 0 && !row_has_seal(statement, 2,
				       row_seal_bare((uint64_t)-place, link_int(statement, 0),
						     sqlite3_column_int64(statement, 1), bytes))) {
		answer = fault_set(fault, FAULT_CORRUPT, "row_mismatch", "command number %lld is not what was written",
				   (long long)-place);
		goto out;
	}
	if (!row_get_command(bytes, &stored))
		goto out;
	if (memcmp(&stored.id, id, sizeof(*id)) != 0) {
		answer = block_prefix(index_hash_command(finder->index, &stored.id)) ==
					 block_prefix(index_hash_command(finder->index, id))
				 ? 0
				 : 2;
		goto out;
	}
	*command = (struct found_command){ true, stored.fingerprint, 0, 0, 0, arena_copy(arena, stored.reply) };
	if (place > 0) {
		command->first = row.position;
		command->last = row.position + row_size(row.part) - 1;
		command->at = row.at;
	} else {
		command->at = sqlite3_column_int64(statement, 1);
	}
	answer = command->reply.data != NULL ? 1 : no_memory(fault);
out:
	sqlite3_reset(statement);
	return answer;
}

struct command_scan {
	const struct command_id *id;
	int64_t place;
};

static int
scan_row(void *self, const struct row *row, struct fault *fault)
{
	struct command_scan *scan = self;

	(void)fault;
	if (row->command.size >= COMMAND_HEAD &&
	    memcmp(row->command.data, scan->id->bytes, sizeof(scan->id->bytes)) == 0)
		scan->place = (int64_t)row->position;
	return 0;
}

static int
scan_bares(struct finder *finder, const struct candidate *segment, struct command_scan *scan, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(finder->link, SQL_TAIL_BARES, fault);
	int stepped = 1;

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, segment->range.first_bare - 1);
	for (uint64_t number = segment->range.first_bare; number <= segment->range.last_bare; number++) {
		struct slice command;

		stepped = link_step(finder->link, statement, fault);
		if (stepped <= 0)
			break;
		command = link_slice(statement, 4);
		if (link_int(statement, 0) != number || command.size < COMMAND_HEAD ||
		    !row_has_seal(statement, 3,
				  row_seal_bare(number, link_int(statement, 1), sqlite3_column_int64(statement, 2),
						command))) {
			stepped = fault_set(fault, FAULT_CORRUPT, "row_mismatch",
					    "command number %llu is not what was written", (unsigned long long)number);
			break;
		}
		if (memcmp(command.data, scan->id->bytes, sizeof(scan->id->bytes)) == 0)
			scan->place = -(int64_t)number;
	}
	sqlite3_reset(statement);
	return stepped < 0 ? -1 : 0;
}

static int
scan_command(struct finder *finder, const struct candidate *segment, const struct command_id *id, struct arena *arena,
	     struct found_command *command, struct fault *fault)
{
	struct command_scan scan = { id, 0 };
	int found;

	if (segment_walk(finder->link, segment, scan_row, &scan, fault) != 0 ||
	    (scan.place == 0 && scan_bares(finder, segment, &scan, fault) != 0))
		return -1;
	if (scan.place == 0)
		return 0;
	found = load_command(finder, scan.place, id, arena, command, fault);
	if (found == 1 || found < 0)
		return found < 0 ? -1 : 0;
	return fault_set(fault, FAULT_CORRUPT, "row_mismatch", "a command at position %lld cannot be read again",
			 (long long)scan.place);
}

static int64_t
place_of(const struct candidate *segment, uint64_t reference)
{
	if (reference % 2 != 0)
		return -(int64_t)(segment->range.first_bare + reference / 2);
	return (int64_t)(segment->range.first + reference / 2);
}

static int
command_in_segment(struct finder *finder, const struct candidate *segment, const struct command_id *id,
		   struct arena *arena, struct found_command *command, struct fault *fault)
{
	uint64_t references[SEGMENT_MATCHES], prefix = block_prefix(index_hash_command(finder->index, id));
	size_t count = 0;
	int answer = SEGMENT_DAMAGED;

	if (!segment->damaged)
		answer = segment_hash(finder->link, HASH_COMMANDS, segment, prefix, references, &count, fault);
	for (size_t i = 0; answer == SEGMENT_FOUND && i < count; i++) {
		int same = load_command(finder, place_of(segment, references[i]), id, arena, command, fault);

		if (same < 0 || same == 1)
			return same < 0 ? -1 : 0;
		if (same == 2)
			answer = SEGMENT_DAMAGED;
	}
	if (answer == SEGMENT_DAMAGED && !index_is_forgotten(finder->index, segment->range.number)) {
		index_mark_damaged(finder->index, segment->range.number);
		return scan_command(finder, segment, id, arena, command, fault);
	}
	return answer < 0 ? -1 : 0;
}

int
find_command(struct finder *finder, const struct command_id *id, struct arena *arena, struct found_command *command,
	     struct fault *fault)
{
	int64_t place;

	*command = (struct found_command){ 0 };
	if (index_command(finder->index, id, &place, &finder->candidates) != 0)
		return no_memory(fault);
	if (place != 0)
		return load_command(finder, place, id, arena, command, fault) < 0 ? -1 : 0;
	for (size_t i = 0; i < finder->candidates.count && !command->found; i++)
		if (command_in_segment(finder, &finder->candidates.items[i], id, arena, command, fault) != 0)
			return -1;
	return 0;
}
