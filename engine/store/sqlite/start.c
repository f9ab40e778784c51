/* SPDX-License-Identifier: MIT */
/*
 * Starting: the sealed segments' rows are read (ranges and Bloom filters), then only the log after the last of them is
 * replayed, in narrow columns, into live segments. The time this takes does not grow with the log.
 *
 * A segment's row that is wrong: if its neighbours tell what it covered, it is kept as damaged (its part of the log is
 * then read, until it is sealed anew); otherwise it and all after it count as never sealed.
 * Fails: CORRUPT when the log itself is wrong; as SQL does.
 */
#include <stdatomic.h>

#include "store/sqlite/range.h"
#include "store/sqlite/seal.h"

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the index of the log");
}

static bool
follows(const struct segment_range *before, const struct segment_range *range)
{
	return range->number == before->number + 1 && range->first == before->last + 1 &&
	       range->first_bare == before->last_bare + 1 && range->first_born == before->last_born + 1 &&
	       range->last - before->last <= SEGMENT_SIZE && range->last_bare - before->last_bare <= SEGMENT_SIZE &&
	       range->last_born - before->last_born <= SEGMENT_SIZE && segment_size(range) <= SEGMENT_SIZE;
}

/* A damaged segment between two sound ones covers what lies between them. */
static bool
mend(const struct segment_range *before, struct segment_range *range, const struct segment_range *after)
{
	if (range->number != before->number + 1 || after->number != range->number + 1)
		return false;
	range->first = before->last + 1;
	range->last = after->first - 1;
	range->first_bare = before->last_bare + 1;
	range->last_bare = after->first_bare - 1;
	range->first_born = before->last_born + 1;
	range->last_born = after->first_born - 1;
	range->last_time = after->last_time;
	return true;
}

/* Takes every row into the index; those after the first that cannot be trusted are dropped again. */
static int
load_segments(struct sqlite_store *store, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(&store->link, SQL_SEGMENTS, fault);
	struct index *index = &store->index;
	struct segment_range before = { 0 };
	size_t sound = 0;
	int stepped;

	if (statement == NULL)
		return -1;
	while ((stepped = link_step(&store->link, statement, fault)) > 0) {
		struct sealed *sealed = range_load(statement);

		if (sealed == NULL || index_add_sealed(index, sealed, false) != 0) {
			sealed_free(sealed);
			sqlite3_reset(statement);
			return no_memory(fault);
		}
	}
	if (stepped < 0 && fault->class != FAULT_CORRUPT)
		return -1;
	for (size_t i = 0; i < index->sealed_count; i++) {
		struct sealed *sealed = index->sealed[i];

		if (sealed->damaged && (i + 1 == index->sealed_count || index->sealed[i + 1]->damaged ||
					!mend(&before, &sealed->range, &index->sealed[i + 1]->range)))
			break;
		if (!follows(&before, &sealed->range))
			break;
		index->damages += sealed->damaged;
		before = sealed->range;
		sound = i + 1;
	}
	while (index->sealed_count > sound)
		index_drop_sealed(index);
	return 0;
}

static int
last_of(struct sqlite_store *store, enum link_sql sql, uint64_t *number, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(&store->link, sql, fault);
	int stepped;

	if (statement == NULL || (stepped = link_step(&store->link, statement, fault)) < 0)
		return -1;
	*number = stepped > 0 ? link_int(statement, 0) : 0;
	sqlite3_reset(statement);
	return 0;
}

static int
load_end(struct sqlite_store *store, struct fault *fault)
{
	struct log_end *end = &store->end;
	sqlite3_stmt *statement;
	struct row row;
	int stepped;

	if (last_of(store, SQL_HEAD, &end->head, fault) != 0 ||
	    last_of(store, SQL_LAST_STREAM, &end->last_stream, fault) != 0 ||
	    last_of(store, SQL_LAST_BARE, &end->last_bare, fault) != 0)
		return -1;
	if (end->head == 0)
		return 0;
	statement = link_use(&store->link, SQL_ENTRY_AT, fault);
	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, end->head);
	stepped = link_step(&store->link, statement, fault);
	if (stepped > 0 && row_load(statement, &row, fault) != 0)
		stepped = -1;
	if (stepped == 0)
		stepped = fault_set(fault, FAULT_CORRUPT, "store_corrupt", "the last entry cannot be found");
	if (stepped > 0) {
		end->link = row.link;
		end->time = row.at;
	}
	sqlite3_reset(statement);
	return stepped < 0 ? -1 : 0;
}

/* What is read side by side while the log's tail is replayed. */
struct replay {
	struct sqlite_store *store;
	sqlite3_stmt *entries;
	sqlite3_stmt *bares;
	sqlite3_stmt *streams;
	bool bare_waits; /* a row of `bares` is under the statement */
	log_position last;
	uint64_t last_born;
};

/* A place in the index; sealing on the way when a long tail has to be replayed. */
static struct live *
take_place(struct replay *replay, struct fault *fault)
{
	struct index *index = &replay->store->index;

	if (index->live_count == LIVE_MAX - 1 && live_is_full(index_filling(index)) &&
	    seal_now(replay->store, fault) != 0)
		return NULL;
	if (index_reserve(index, 1) != 0) {
		no_memory(fault);
		return NULL;
	}
	return index_take_place(index);
}

static int
replay_born(struct replay *replay, struct live *live, uint64_t stream, struct fault *fault)
{
	struct slice name;

	if (link_step(&replay->store->link, replay->streams, fault) <= 0 || link_int(replay->streams, 0) != stream ||
	    stream != replay->last_born + 1)
		return fault_set(fault, FAULT_CORRUPT, "name_mismatch", "stream number %llu has no name",
				 (unsigned long long)stream);
	name = link_slice(replay->streams, 1);
	if (!row_has_seal(replay->streams, 2, row_seal_name(stream, name)))
		return fault_set(fault, FAULT_CORRUPT, "name_mismatch",
				 "the name of stream number %llu is not what was written", (unsigned long long)stream);
	live_add_name(live, index_hash_name(&replay->store->index, name), stream, name);
	replay->last_born = stream;
	return 0;
}

static int
replay_bare(struct replay *replay, struct fault *fault)
{
	struct index *index = &replay->store->index;
	struct live *live = take_place(replay, fault);
	struct row_command command;

	if (live == NULL)
		return -1;
	if (!row_get_command(link_slice(replay->bares, 4), &command) ||
	    !row_has_seal(replay->bares, 3,
			  row_seal_bare(link_int(replay->bares, 0), link_int(replay->bares, 1),
					sqlite3_column_int64(replay->bares, 2), link_slice(replay->bares, 4))))
		return fault_set(fault, FAULT_CORRUPT, "row_mismatch", "command number %llu is not what was written",
				 (unsigned long long)link_int(replay->bares, 0));
	live_add_command(live, index_hash_command(index, &command.id), &command.id,
			 -(int64_t)link_int(replay->bares, 0));
	live_add_bare(live, sqlite3_column_int64(replay->bares, 2));
	return 0;
}

/* Commits without entries up to a position. */
static int
replay_bares(struct replay *replay, log_position upto, struct fault *fault)
{
	while (replay->bare_waits && link_int(replay->bares, 1) <= upto) {
		int stepped;

		if (replay_bare(replay, fault) != 0)
			return -1;
		stepped = link_step(&replay->store->link, replay->bares, fault);
		if (stepped < 0)
			return -1;
		replay->bare_waits = stepped > 0;
	}
	return 0;
}

static int
replay_entry(struct replay *replay, struct fault *fault)
{
	struct index *index = &replay->store->index;
	struct row_command command;
	stream_version head;
	struct live *live;
	struct row row;

	if (row_load_narrow(replay->entries, &row, fault) != 0)
		return -1;
	if (row.position != replay->last + 1)
		return fault_set(fault, FAULT_CORRUPT, "position_gap", "position %llu is missing",
				 (unsigned long long)replay->last + 1);
	replay->last = row.position;
	live = take_place(replay, fault);
	if (live == NULL || (row.stream > replay->last_born && replay_born(replay, live, row.stream, fault) != 0))
		return -1;
	head = row.version - 1;
	if (row.version == 0 && live_find(live, row.stream) == NULL &&
	    find_version(&replay->store->finder, row.stream, &head, fault) != 0)
		return -1;
	if (row_get_command(row.command, &command))
		live_add_command(live, index_hash_command(index, &command.id), &command.id, (int64_t)row.position);
	live_add(live, row.stream, head, row.version, row.at);
	return 0;
}

static int
replay_rows(struct replay *replay, struct fault *fault)
{
	struct link *link = &replay->store->link;
	int stepped = link_step(link, replay->bares, fault);

	if (stepped < 0)
		return -1;
	replay->bare_waits = stepped > 0;
	if (replay_bares(replay, replay->last, fault) != 0)
		return -1;
	while ((stepped = link_step(link, replay->entries, fault)) > 0)
		if (replay_entry(replay, fault) != 0 || replay_bares(replay, replay->last, fault) != 0)
			return -1;
	return stepped;
}

/* Only as much of the tail as fits the live segments is replayed at a time; *more tells that there is a rest. */
static int
replay_tail(struct sqlite_store *store, struct fault *fault)
{
	struct replay replay = { .store = store };
	struct segment_range after = { 0 };
	int result;

	if (store->index.sealed_count != 0)
		after = store->index.sealed[store->index.sealed_count - 1]->range;
	replay.entries = link_use(&store->link, SQL_TAIL_ENTRIES, fault);
	replay.bares = link_use(&store->link, SQL_TAIL_BARES, fault);
	replay.streams = link_use(&store->link, SQL_TAIL_STREAMS, fault);
	if (replay.entries == NULL || replay.bares == NULL || replay.streams == NULL)
		return -1;
	replay.last = after.last;
	replay.last_born = after.last_born;
	link_bind_int(replay.entries, 1, after.last);
	link_bind_int(replay.bares, 1, after.last_bare);
	link_bind_int(replay.streams, 1, after.last_born);
	result = replay_rows(&replay, fault);
	sqlite3_reset(replay.entries);
	sqlite3_reset(replay.bares);
	sqlite3_reset(replay.streams);
	if (result == 0 && replay.last != store->end.head)
		return fault_set(fault, FAULT_CORRUPT, "position_gap", "position %llu is missing",
				 (unsigned long long)replay.last + 1);
	return result;
}

static void
count(struct sqlite_store *store)
{
	const struct index *index = &store->index;
	struct store_stats *stats = &store->stats;

	stats->head = store->end.head;
	for (size_t i = 0; i < index->sealed_count; i++) {
		stats->indexed_to = index->sealed[i]->range.last;
		stats->remembered_ids += index->sealed[i]->forgotten ? 0 : index->sealed[i]->range.commands;
	}
	for (size_t i = 0; i < index->live_count; i++)
		stats->remembered_ids += index->live[i]->command_count;
	sqlite_measure(store);
}

int
sqlite_start(struct sqlite_store *store, struct fault *fault)
{
	if (load_segments(store, fault) != 0 || load_end(store, fault) != 0)
		return -1;
	atomic_store_explicit(&store->base.head, store->end.head, memory_order_release);
	store->index.complete = !store->read_only;
	if (!store->read_only &&
	    (types_load(&store->types, &store->link, fault) != 0 ||
	     catalogue_load(&store->catalogue, &store->link, fault) != 0 || replay_tail(store, fault) != 0))
		return -1;
	store->catalogue.written = store->end.head;
	count(store);
	return 0;
}
