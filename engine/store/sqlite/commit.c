/* SPDX-License-Identifier: MIT */
/*
 * A group in one transaction with one sync: decide everything, then BEGIN, the rows, COMMIT, and only then publish:
 * index in memory, last of all the head, behind which readers stay [I4].
 *
 * Fails: an error before COMMIT is rolled back; the appends are then tried alone, once. A full disk is FULL with
 * nothing written. A COMMIT whose end is not known (a failed sync, a failed write of the log's last frames, a file that
 * is not at its path any more) is COMMIT_UNKNOWN: it may be there after a restart, so nothing may be decided any more
 * on what this process believes.
 */
#include <stdatomic.h>
#include <stdio.h>

#include "base/probe.h"
#include "store/sqlite/decide.h"
#include "store/sqlite/seal.h"
#include "store/sqlite/witness.h"

void
sqlite_fail(struct sqlite_store *store, const struct fault *fault)
{
	if (store->failed)
		return;
	store->failed = true;
	store->failure = *fault;
	if (store->fatal != NULL)
		store->fatal(store->fatal_self, fault);
}

static int
insert_row(struct sqlite_store *store, const struct group_row *made, struct fault *fault)
{
	struct link *link = &store->link;
	sqlite3_stmt *statement;

	if (made->born.size != 0) {
		statement = link_use(link, SQL_INSERT_STREAM, fault);
		if (statement == NULL)
			return -1;
		link_bind_int(statement, 1, made->row.stream);
		link_bind_text(statement, 2, made->born);
		link_bind_int(statement, 3, row_seal_name(made->row.stream, made->born));
		if (link_step(link, statement, fault) != 0)
			return -1;
	}
	statement = link_use(link, SQL_INSERT_ENTRY, fault);
	if (statement == NULL)
		return -1;
	row_bind(statement, &made->row);
	return link_step(link, statement, fault);
}

static int
insert_types(struct sqlite_store *store, size_t before, struct fault *fault)
{
	for (size_t i = before; i < store->types.count; i++) {
		sqlite3_stmt *statement = link_use(&store->link, SQL_INSERT_TYPE, fault);
		const struct type *type = store->types.items[i];

		if (statement == NULL)
			return -1;
		link_bind_int(statement, 1, i + 1);
		link_bind_int(statement, 2, (uint64_t)type->kind);
		link_bind_text(statement, 3, type->name);
		link_bind_int(statement, 4, type->schema_version);
		link_bind_int(statement, 5, type->generation);
		link_bind_text(statement, 6, type->topic);
		if (link_step(&store->link, statement, fault) != 0)
			return -1;
	}
	return 0;
}

static int
insert_bare(struct sqlite_store *store, const struct group_bare *bare, const struct log_end *end, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(&store->link, SQL_INSERT_BARE, fault);

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, bare->number);
	link_bind_int(statement, 2, end->head);
	sqlite3_bind_int64(statement, 3, end->time);
	link_bind_int(statement, 4, row_seal_bare(bare->number, end->head, end->time, bare->command));
	link_bind_slice(statement, 5, bare->command);
	return link_step(&store->link, statement, fault);
}

static int
write_record(struct sqlite_store *store, const struct group_record *record, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(&store->link, record->present ? SQL_PUT_RECORD : SQL_REMOVE_RECORD, fault);

	if (statement == NULL)
		return -1;
	link_bind_text(statement, 1, record->space);
	link_bind_slice(statement, 2, record->key);
	if (record->present) {
		link_bind_int(statement, 3, row_seal_record(record->space, record->key, record->value));
		link_bind_slice(statement, 4, record->value);
	}
	return link_step(&store->link, statement, fault);
}

static int
insert_all(struct sqlite_store *store, const struct log_end *end, struct fault *fault)
{
	struct group *group = &store->group;

	if (PROBE("commit.before_insert"))
		return fault_set(fault, FAULT_AWAY, "store_io", "store: a test made the insert fail");
	if (insert_types(store, group->types_before, fault) != 0 ||
	    catalogue_write(&store->catalogue, &store->link, group->known_before, store->end.head, fault) != 0)
		return -1;
	for (size_t i = 0; i < group->row_count; i++)
		if (insert_row(store, &group->rows[i], fault) != 0)
			return -1;
	for (size_t i = 0; i < group->bare_count; i++)
		if (insert_bare(store, &group->bares[i], end, fault) != 0)
			return -1;
	for (size_t i = 0; i < group->record_room; i++)
		if (group->records[i].space.size != 0 && write_record(store, &group->records[i], fault) != 0)
			return -1;
	return seal_piggyback(store, (uint32_t)(group->row_count + group->bare_count), fault);
}

/* Segments enough for what the group adds; they are filled only after the commit, when nothing may fail. */
static int
make_room(struct sqlite_store *store, struct fault *fault)
{
	size_t more = store->group.row_count + store->group.bare_count;

	if (more > store->index.segment_entries)
		return fault_set(fault, FAULT_LIMIT, "group_too_large",
				 "a commit of %zu entries; at most %u are possible", more,
				 store->index.segment_entries);
	if (index_reserve(&store->index, more) != 0)
		return fault_set(fault, FAULT_MEMORY, "memory", "no memory for the index of the log");
	return 0;
}

static void
roll_back(struct sqlite_store *store)
{
	if (sqlite3_get_autocommit(store->link.db) == 0)
		link_run(&store->link, SQL_ROLLBACK, NULL);
	types_cut(&store->types, store->group.types_before);
	catalogue_cut(&store->catalogue, store->group.known_before);
	seal_undo(store);
}

/* A file that is not at its path any more was deleted, or moved: what is answered could not be found there. */
static bool
is_elsewhere(struct sqlite_store *store)
{
	int moved = 0;

	return sqlite3_file_control(store->link.db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

/* COMMIT_NOT_ATTEMPTED: rolled back. */
static enum commit_result
write_group(struct sqlite_store *store, const struct log_end *end, struct fault *fault)
{
	sqlite3_stmt *commit = link_use(&store->link, SQL_COMMIT, fault);
	bool unknown;

	if (commit == NULL || insert_all(store, end, fault) != 0) {
		roll_back(store);
		return COMMIT_NOT_ATTEMPTED;
	}
#ifdef MOONLOG_SABOTAGE_ANSWER_FIRST
	return COMMIT_DONE;
#endif
	if (PROBE("commit.before_sync")) {
		fault_set(fault, FAULT_AWAY, "store_io", "store: a test made the sync fail");
		unknown = true;
	} else if (link_step(&store->link, commit, fault) == 0) {
		bool told = PROBE("commit.after_sync");

		if (!told && !is_elsewhere(store))
			return COMMIT_DONE;
		fault_set(fault, FAULT_AWAY, "store_io",
			  told ? "store: a test made the commit's end unknown"
			       : "store: %s was deleted or moved while it was in use",
			  store->file);
		unknown = true;
	} else {
		/* Writes that stop for want of space never reach the frame that makes a transaction count. */
		unknown = (fault->native & 0xff) != SQLITE_FULL && (fault->native & 0xff) != SQLITE_BUSY &&
			  (fault->native & 0xff) != SQLITE_NOMEM;
	}
	roll_back(store);
	if (!unknown)
		return COMMIT_NOT_ATTEMPTED;
	fault->class = FAULT_UNKNOWN;
	snprintf(fault->code, sizeof(fault->code), "outcome_unknown");
	sqlite_fail(store, fault);
	return COMMIT_UNKNOWN;
}

/* Nothing here may fail: the group is durable. */
static void
publish(struct sqlite_store *store, const struct log_end *end)
{
	struct group *group = &store->group;
	struct index *index = &store->index;

	index_lock_filling(index);
	for (size_t i = 0; i < group->row_count; i++) {
		const struct group_row *made = &group->rows[i];
		struct live *live = index_take_place(index);
		struct row_command command;

		if (made->born.size != 0)
			live_add_name(live, index_hash_name(index, made->born), made->row.stream, made->born);
		if (row_get_command(made->row.command, &command))
			live_add_command(live, index_hash_command(index, &command.id), &command.id,
					 (int64_t)made->row.position);
		live_add(live, made->row.stream, made->head, made->row.version, end->time);
		if (made->known != 0)
			catalogue_seen(&store->catalogue, made->known, made->row.position);
	}
	for (size_t i = 0; i < group->bare_count; i++) {
		struct live *live = index_take_place(index);

		live_add_command(live, index_hash_command(index, &group->bares[i].id), &group->bares[i].id,
				 -(int64_t)group->bares[i].number);
		live_add_bare(live, end->time);
	}
	index_unlock_filling(index);
	for (size_t i = 0; i < group->stream_room; i++) {
		const struct group_stream *stream = &group->streams[i];

		if (stream->used && stream->id != 0)
			heads_put(&store->finder.heads, stream->hash, stream->id, stream->name, true, stream->version);
	}
	seal_committed(store);
	store->end = *end;
	atomic_store_explicit(&store->base.head, end->head, memory_order_release);
}

static void
count(struct sqlite_store *store)
{
	struct store_stats *stats = &store->stats;
	uint64_t commands = 0;

	for (size_t i = 0; i < store->group.command_room; i++)
		commands += store->group.commands[i].append != NULL;
	__atomic_store_n(&stats->remembered_ids, stats->remembered_ids + commands, __ATOMIC_RELAXED);
	__atomic_store_n(&stats->head, store->end.head, __ATOMIC_RELAXED);
	__atomic_store_n(&stats->commits, stats->commits + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&stats->syncs, stats->syncs + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&stats->wal_bytes, store->wal_pages * SQLITE_ROOM_PAGE, __ATOMIC_RELAXED);
}

/* Deciding happens inside the transaction too: its questions to the index then share one lock on the log file. */
static int
decide_all(struct sqlite_store *store, struct append **appends, size_t count_of, struct log_end *end,
	   struct fault *fault)
{
#ifdef MOONLOG_SABOTAGE_ANSWER_FIRST
	/* A build that must fail tests/crash: each group is answered now and committed with the next. */
	if (sqlite3_get_autocommit(store->link.db) == 0 && link_run(&store->link, SQL_COMMIT, fault) != 0)
		return -1;
#endif
	if (link_run(&store->link, SQL_BEGIN_WRITE, fault) != 0)
		return -1;
	for (size_t i = 0; i < count_of; i++)
		if (appends[i]->answer == APPEND_NONE && sqlite_decide(store, appends[i], end, fault) != 0)
			return -1;
	return make_room(store, fault);
}

/* The appends that have no answer yet, as one transaction. */
static enum commit_result
attempt(struct sqlite_store *store, struct append **appends, size_t count_of, struct fault *fault)
{
	struct log_end end = store->end;
	enum commit_result result;

	end.now = clock_wall_us(store->clock);
	store->group.types_before = store->types.count;
	store->group.known_before = store->catalogue.count;
	if (group_begin(&store->group, appends, count_of) != 0) {
		fault_set(fault, FAULT_MEMORY, "memory", "no memory for a commit");
		return COMMIT_NOT_ATTEMPTED;
	}
	if (decide_all(store, appends, count_of, &end, fault) != 0) {
		roll_back(store);
		return COMMIT_NOT_ATTEMPTED;
	}
	if (!store->group.writes) {
		roll_back(store);
		return COMMIT_DONE;
	}
	result = write_group(store, &end, fault);
	if (result != COMMIT_DONE)
		return result;
	publish(store, &end);
	count(store);
	return COMMIT_DONE;
}

/* Answers of an attempt that came to nothing. */
static void
forget(struct append **appends, size_t count_of)
{
	for (size_t i = 0; i < count_of; i++) {
		struct append *append = appends[i];

		if (append->answer == APPEND_FAILED)
			continue;
		append->answer = APPEND_NONE;
		append->first = append->last = 0;
		append->recorded_at_us = 0;
		append->last_link = (struct check){ { 0 } };
	}
}

static bool
worth_trying_alone(const struct fault *fault)
{
	return fault->class == FAULT_BUG || fault->class == FAULT_LIMIT || fault->class == FAULT_CORRUPT;
}

/* Each append as a group of its own; an append that still fails has failed alone. */
static enum commit_result
one_by_one(struct sqlite_store *store, struct append **appends, size_t count_of, struct fault *fault)
{
	bool done = false;

	for (size_t i = 0; i < count_of; i++) {
		enum commit_result result;

		if (appends[i]->answer == APPEND_FAILED)
			continue;
		result = attempt(store, &appends[i], 1, fault);
		if (result == COMMIT_DONE) {
			done = true;
			continue;
		}
		forget(&appends[i], count_of - i);
		if (result == COMMIT_UNKNOWN)
			return result;
		if (!done && !worth_trying_alone(fault))
			return COMMIT_NOT_ATTEMPTED;
		appends[i]->answer = APPEND_FAILED;
		appends[i]->fault = *fault;
	}
	return COMMIT_DONE;
}

enum commit_result
sqlite_commit(struct store *base, struct append **appends, size_t count_of, struct fault *fault)
{
	struct sqlite_store *store = sqlite_store_of(base);
	struct fault none, *trouble = fault != NULL ? fault : &none;
	enum commit_result result;

	if (store->read_only) {
		fault_set(trouble, FAULT_CONFIG, "read_only", "the store was opened for reading only");
		return COMMIT_NOT_ATTEMPTED;
	}
	if (store->failed) {
		fault_set(trouble, FAULT_AWAY, "store_failed", "the store takes no more commits since: %s",
			  store->failure.text);
		return COMMIT_NOT_ATTEMPTED;
	}
	result = attempt(store, appends, count_of, trouble);
	if (result == COMMIT_NOT_ATTEMPTED) {
		forget(appends, count_of);
		if (worth_trying_alone(trouble))
			result = one_by_one(store, appends, count_of, trouble);
	}
	if (result == COMMIT_DONE) {
		sqlite_witness_due(store);
		sqlite_checkpoint_due(store);
	}
	return result;
}
