/* SPDX-License-Identifier: MIT */
/*
 * Mending: a segment whose stored index was found wrong is read from the log as it was when it was live, and sealed
 * anew, in an idle moment. Until then its part of the log is read itself, which is slower and just as right.
 * Fails: silently; a segment that cannot be mended stays damaged until the next start.
 */
#include "store/sqlite/range.h"
#include "store/sqlite/seal.h"
#include "store/sqlite/segment.h"

static struct sealed *
first_damaged(const struct index *index, size_t *at)
{
	for (*at = 0; *at < index->sealed_count; ++*at)
		if (index->sealed[*at]->damaged)
			return index->sealed[*at];
	return NULL;
}

/* The stream's version before the segment at `before`. */
static int
head_before(struct sqlite_store *store, size_t before, uint64_t stream, stream_version *version, struct fault *fault)
{
	const struct index *index = &store->index;

	*version = 0;
	for (size_t i = before; i-- > 0;) {
		const struct sealed *sealed = index->sealed[i];
		struct candidate segment = { sealed->range, sealed->damaged };
		struct segment_events events = { 0 };
		bool whole;
		int answer = SEGMENT_DAMAGED;

		if (!sealed->damaged && !bloom_maybe(&sealed->streams, index_hash_stream(index, stream)))
			continue;
		if (!sealed->damaged)
			answer = segment_version(&store->link, &segment, stream, version, fault);
		if (answer == SEGMENT_DAMAGED) {
			answer = segment_scan(&store->link, &segment, stream, 1, &events, &whole, fault);
			*version = events.last_version;
		}
		if (answer != SEGMENT_ABSENT)
			return answer < 0 ? -1 : 0;
	}
	return 0;
}

static int
read_names(struct sqlite_store *store, const struct segment_range *range, struct live *live, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(&store->link, SQL_TAIL_STREAMS, fault);
	int stepped = 1;

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, range->first_born - 1);
	for (uint64_t id = range->first_born; id <= range->last_born && live->born < live->limit; id++) {
		struct slice name;

		stepped = link_step(&store->link, statement, fault);
		if (stepped <= 0 || link_int(statement, 0) != id)
			break;
		name = link_slice(statement, 1);
		if (!row_has_seal(statement, 2, row_seal_name(id, name)))
			break;
		live_add_name(live, index_hash_name(&store->index, name), id, name);
	}
	sqlite3_reset(statement);
	return live->born == range->last_born - range->first_born + 1 ? 0 : -1;
}

static int
read_entries(struct sqlite_store *store, const struct segment_range *range, struct live *live, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(&store->link, SQL_TAIL_ENTRIES, fault);
	int stepped = 1;

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, range->first - 1);
	for (log_position position = range->first; position <= range->last; position++) {
		struct row_command command;
		struct row row;

		stepped = link_step(&store->link, statement, fault);
		if (stepped <= 0 || row_load_narrow(statement, &row, fault) != 0 || row.position != position)
			break;
		if (row_get_command(row.command, &command))
			live_add_command(live, index_hash_command(&store->index, &command.id), &command.id,
					 (int64_t)position);
		live_add(live, row.stream, row.version - 1, row.version, row.at);
	}
	sqlite3_reset(statement);
	return live->entries == range->last - range->first + 1 ? 0 : -1;
}

static int
read_bares(struct sqlite_store *store, const struct segment_range *range, struct live *live, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(&store->link, SQL_TAIL_BARES, fault);

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, range->first_bare - 1);
	for (uint64_t number = range->first_bare; number <= range->last_bare; number++) {
		struct row_command command;

		if (link_step(&store->link, statement, fault) <= 0 || link_int(statement, 0) != number ||
		    !row_get_command(link_slice(statement, 4), &command))
			break;
		live_add_command(live, index_hash_command(&store->index, &command.id), &command.id, -(int64_t)number);
		live_add_bare(live, sqlite3_column_int64(statement, 2));
	}
	sqlite3_reset(statement);
	return live->bares == range->last_bare - range->first_bare + 1 ? 0 : -1;
}

/* Streams that have no event in the segment: their version comes from before it. */
static int
find_heads(struct sqlite_store *store, size_t at, struct live *live, struct fault *fault)
{
	for (size_t i = 0; i < live->stream_count; i++) {
		struct live_stream *stream = &live->streams[i];
		stream_version version;

		if (stream->count != 0)
			continue;
		if (head_before(store, at, stream->id, &version, fault) != 0)
			return -1;
		stream->first_version = version + 1;
	}
	return 0;
}

bool
sqlite_mend(struct sqlite_store *store)
{
	struct segment_range range;
	const struct sealed *sealed;
	struct live *live;
	struct fault fault;
	size_t at;

	if (store->mended == store->index.damages)
		return false;
	store->mended++;
	sealed = first_damaged(&store->index, &at);
	live = sealed != NULL ? live_new(segment_size(&sealed->range)) : NULL;
	if (live == NULL)
		return false;
	range = sealed->range;
	live->number = range.number;
	live->first = range.first;
	live->first_bare = range.first_bare;
	live->first_born = range.first_born;
	if (read_names(store, &range, live, &fault) == 0 && read_entries(store, &range, live, &fault) == 0 &&
	    read_bares(store, &range, live, &fault) == 0 && find_heads(store, at, live, &fault) == 0)
		seal_again(store, live, &fault);
	live_free(live);
	return store->mended != store->index.damages;
}
