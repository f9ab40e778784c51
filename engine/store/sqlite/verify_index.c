/* SPDX-License-Identifier: MIT */
/*
 * The index verified: while the log goes by, what each sealed segment should hold is gathered as it was when it was
 * live; at the segment's end its blocks and filters are made again and compared byte by byte with what is stored.
 * Fails: MEMORY, and errors that are not the stored bytes'.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite/range.h"
#include "store/sqlite/source.h"
#include "store/sqlite/verify.h"

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory to verify the store");
}

int
verify_index_begin(struct verification *verification, struct fault *fault)
{
	struct index *index = &verification->reader->store->index;
	size_t count;

	pthread_mutex_lock(&index->lock);
	count = index->sealed_count;
	pthread_mutex_unlock(&index->lock);
	verification->segments = calloc(count + 1, sizeof(*verification->segments));
	if (verification->segments == NULL)
		return no_memory(fault);
	pthread_mutex_lock(&index->lock);
	for (size_t i = 0; i < count; i++)
		verification->segments[i] = index->sealed[i]->range;
	pthread_mutex_unlock(&index->lock);
	verification->segment_count = count;
	return 0;
}

void
verify_index_end(struct verification *verification)
{
	live_free(verification->live);
	free(verification->segments);
}

void
verify_index_hole(struct verification *verification)
{
	live_free(verification->live);
	verification->live = NULL;
}

static void
wrong_index(struct verification *verification, const struct segment_range *range, const char *what)
{
	char text[200];

	snprintf(text, sizeof(text), "segment %llu of the index: %s; it is made again from the log",
		 (unsigned long long)range->number, what);
	verify_finding(verification, VERIFY_INDEX, SLICE_NONE, range->first, range->last, text);
	index_mark_damaged(&verification->reader->store->index, range->number);
}

/* 1: the stored blocks of a kind are these; 0: they are not; -1: fault. */
static int
same_blocks(struct verification *verification, const struct segment_range *range, enum block_kind kind,
	    struct fault *fault)
{
	const struct index *index = &verification->reader->store->index;
	struct link *link = &verification->reader->link;
	bool streams = kind == BLOCK_STREAMS;
	sqlite3_stmt *statement = link_use(link, streams ? SQL_ALL_STREAM_BLOCKS : SQL_ALL_HASH_BLOCKS, fault);
	struct block_source *source = block_source_new(index, verification->live, kind);
	struct block_key key;
	struct fault trouble;
	struct buf block;
	int next = 1, same = 1;

	if (statement == NULL || source == NULL) {
		block_source_free(source);
		return statement == NULL ? -1 : no_memory(fault);
	}
	buf_init(&block, SIZE_MAX);
	link_bind_int(statement, 1, streams ? range->number : kind == BLOCK_NAMES ? HASH_NAMES : HASH_COMMANDS);
	if (!streams)
		link_bind_int(statement, 2, range->number);
	while (same == 1 && (next = block_source_next(source, &key, &block)) > 0)
		same = link_step(link, statement, &trouble) > 0 && link_int(statement, streams ? 1 : 0) == key.minor &&
		       (!streams || link_int(statement, 0) == key.major) &&
		       slice_equal(link_slice(statement, streams ? 2 : 1), buf_slice(&block));
	if (same == 1 && next == 0 && link_step(link, statement, &trouble) != 0)
		same = 0;
	sqlite3_reset(statement);
	buf_fini(&block);
	block_source_free(source);
	return next < 0 ? no_memory(fault) : same;
}

static bool
same_bloom(const struct bloom *a, const struct bloom *b)
{
	return slice_equal(slice_from(a->bits, a->size), slice_from(b->bits, b->size));
}

/* Each as large as it is stored: older programs made smaller ones. */
static int
filters_anew(const struct verification *verification, const struct sealed *stored, struct sealed *wanted)
{
	static const struct sealed none;
	const struct index *index = &verification->reader->store->index;
	const struct live *live = verification->live;
	const struct sealed *like = stored != NULL ? stored : &none;

	if (block_bloom(index, live, BLOCK_NAMES, like->names.size, &wanted->names) != 0 ||
	    block_bloom(index, live, BLOCK_STREAMS, like->streams.size, &wanted->streams) != 0 ||
	    block_bloom(index, live, BLOCK_COMMANDS, like->commands.size, &wanted->commands) != 0)
		return -1;
	return 0;
}

/* 1: the segment's row is what it should be; 0: it is not; -1: fault. *forgotten: by now, its command ids are. */
static int
same_row(struct verification *verification, const struct segment_range *range, bool *forgotten, struct fault *fault)
{
	struct link *link = &verification->reader->link;
	sqlite3_stmt *statement = link_use(link, SQL_SEGMENT, fault);
	struct sealed wanted = { .range = block_range(verification->live) }, *stored = NULL;
	struct fault trouble;
	int same = 0;

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, range->number);
	if (link_step(link, statement, &trouble) > 0)
		stored = range_load(statement);
	if (filters_anew(verification, stored, &wanted) != 0)
		same = no_memory(fault);
	else
		same = stored != NULL && !stored->damaged && same_bloom(&stored->names, &wanted.names) &&
		       same_bloom(&stored->streams, &wanted.streams) &&
		       (stored->forgotten || same_bloom(&stored->commands, &wanted.commands));
	*forgotten = stored != NULL && stored->forgotten;
	sqlite3_reset(statement);
	sealed_free(stored);
	bloom_fini(&wanted.names);
	bloom_fini(&wanted.streams);
	bloom_fini(&wanted.commands);
	return same;
}

static int
compare_segment(struct verification *verification, struct fault *fault)
{
	const struct segment_range *range = &verification->segments[verification->segment];
	int names, streams, commands, row;
	bool forgotten = false;

	names = same_blocks(verification, range, BLOCK_NAMES, fault);
	streams = names < 0 ? -1 : same_blocks(verification, range, BLOCK_STREAMS, fault);
	commands = streams < 0 ? -1 : same_blocks(verification, range, BLOCK_COMMANDS, fault);
	row = commands < 0 ? -1 : same_row(verification, range, &forgotten, fault);
	if (row < 0)
		return -1;
	/* Their blocks are dropped after the row says so, and perhaps while the log went by. */
	if (commands == 0 && forgotten)
		commands = 1;
	if (names == 0 || streams == 0 || commands == 0 || row == 0)
		wrong_index(verification, range,
			    names == 0      ? "names are not as in the log"
			    : streams == 0  ? "versions are not as in the log"
			    : commands == 0 ? "command ids are not as in the log"
					    : "its row is not as in the log");
	return 0;
}

/* Commits without entries that belong to the segment. */
static int
add_bares(struct verification *verification, struct fault *fault)
{
	const struct segment_range *range = &verification->segments[verification->segment];
	const struct index *index = &verification->reader->store->index;
	struct link *link = &verification->reader->link;
	sqlite3_stmt *statement;
	int stepped = 0;

	if (range->last_bare < range->first_bare)
		return 0;
	statement = link_use(link, SQL_TAIL_BARES, fault);
	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, range->first_bare - 1);
	while (verification->live->bares <= range->last_bare - range->first_bare &&
	       (stepped = link_step(link, statement, fault)) > 0 && link_int(statement, 0) <= range->last_bare) {
		struct row_command command;

		if (row_get_command(link_slice(statement, 4), &command))
			live_add_command(verification->live, index_hash_command(index, &command.id), &command.id,
					 -(int64_t)link_int(statement, 0));
		live_add_bare(verification->live, sqlite3_column_int64(statement, 2));
	}
	sqlite3_reset(statement);
	return stepped < 0 ? -1 : 0;
}

static int
begin_segment(struct verification *verification, struct fault *fault)
{
	const struct segment_range *range = &verification->segments[verification->segment];

	live_free(verification->live);
	verification->live = live_new(segment_size(range));
	if (verification->live == NULL)
		return no_memory(fault);
	verification->live->number = range->number;
	verification->live->first = range->first;
	verification->live->first_bare = range->first_bare;
	verification->live->first_born = range->first_born;
	return 0;
}

int
verify_index_row(struct verification *verification, const struct row *row, struct slice name, struct fault *fault)
{
	const struct index *index = &verification->reader->store->index;
	bool born = row->stream > verification->last_born;
	const struct segment_range *range;
	struct row_command command;
	int64_t time;

	if (born)
		verification->last_born = row->stream;
	while (verification->segment < verification->segment_count &&
	       verification->segments[verification->segment].last < row->position)
		verification->segment++;
	if (verification->segment == verification->segment_count)
		return 0;
	range = &verification->segments[verification->segment];
	if (row->position == range->first && begin_segment(verification, fault) != 0)
		return -1;
	if (verification->live == NULL)
		return 0;
	if (born)
		live_add_name(verification->live, index_hash_name(index, name), row->stream, name);
	if (row_get_command(row->command, &command))
		live_add_command(verification->live, index_hash_command(index, &command.id), &command.id,
				 (int64_t)row->position);
	live_add(verification->live, row->stream,
		 row->version != 0 ? row->version - 1 : verification->versions[row->stream], row->version, row->at);
	if (row->position != range->last)
		return 0;
	time = verification->live->last_time;
	if (add_bares(verification, fault) != 0)
		return -1;
	if (verification->live->last_time < time)
		verification->live->last_time = time;
	return compare_segment(verification, fault);
}

static int
check_records(struct verification *verification, struct fault *fault)
{
	struct link *link = &verification->reader->link;
	struct arena arena;
	struct slice space = SLICE(""), key = SLICE("");
	int stepped, count;

	arena_init(&arena, SIZE_MAX);
	do {
		sqlite3_stmt *statement = link_use(link, SQL_ALL_RECORDS, fault);
		struct slice last_space = space, last_key = key;

		count = 0;
		if (statement == NULL)
			return -1;
		link_bind_text(statement, 1, space);
		link_bind_slice(statement, 2, key);
		for (; (stepped = link_step(link, statement, fault)) > 0; count++) {
			last_space = link_slice(statement, 0);
			last_key = link_slice(statement, 1);
			if (!row_has_seal(statement, 2,
					  row_seal_record(last_space, last_key, link_slice(statement, 3)))) {
				char text[200];

				snprintf(text, sizeof(text), "record %.*s/%.*s is not what was written",
					 SLICE_ARG(last_space), SLICE_ARG(last_key));
				verify_finding(verification, VERIFY_RECORD, SLICE_NONE, 0, 0, text);
			}
			if (count == 1023) {
				space = arena_copy(&arena, last_space);
				key = arena_copy(&arena, last_key);
			}
		}
		if (stepped < 0 && fault->class == FAULT_CORRUPT) {
			verify_finding(verification, VERIFY_RECORD, SLICE_NONE, 0, 0, fault->text);
			stepped = 0;
			count = 0;
		}
	} while (stepped == 0 && count == 1024);
	arena_fini(&arena);
	return stepped;
}

/* Names that no event leads to are looked at too. */
static int
check_names(struct verification *verification, struct fault *fault)
{
	struct link *link = &verification->reader->link;
	uint64_t next = 1;
	int stepped = 1;

	while (stepped > 0) {
		sqlite3_stmt *statement = link_use(link, SQL_TAIL_STREAMS, fault);

		if (statement == NULL)
			return -1;
		link_bind_int(statement, 1, next - 1);
		for (int i = 0; i < 4096 && (stepped = link_step(link, statement, fault)) > 0; i++) {
			uint64_t id = link_int(statement, 0);
			char text[200];

			snprintf(text, sizeof(text), "the name of stream number %llu is not what was written",
				 (unsigned long long)next);
			if (id != next || sqlite3_column_type(statement, 1) != SQLITE_TEXT ||
			    !row_has_seal(statement, 2, row_seal_name(id, link_slice(statement, 1))))
				verify_finding(verification, VERIFY_CONTENT, link_slice(statement, 1), 0, 0, text);
			next = id + 1;
		}
		sqlite3_reset(statement);
	}
	if (stepped < 0 && fault->class == FAULT_CORRUPT) {
		verify_finding(verification, VERIFY_CONTENT, SLICE_NONE, 0, 0, fault->text);
		return 0;
	}
	return stepped;
}

static int
check_bares(struct verification *verification, struct fault *fault)
{
	struct link *link = &verification->reader->link;
	sqlite3_stmt *statement = link_use(link, SQL_TAIL_BARES, fault);
	uint64_t last = 0;
	int stepped;

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, 0);
	while ((stepped = link_step(link, statement, fault)) > 0) {
		uint64_t number = link_int(statement, 0);
		struct row_command command;

		if (number != last + 1 || !row_get_command(link_slice(statement, 4), &command) ||
		    !row_has_seal(statement, 3,
				  row_seal_bare(number, link_int(statement, 1), sqlite3_column_int64(statement, 2),
						link_slice(statement, 4)))) {
			char text[200];

			snprintf(text, sizeof(text), "command number %llu is not what was written",
				 (unsigned long long)last + 1);
			verify_finding(verification, VERIFY_RECORD, SLICE_NONE, 0, 0, text);
		}
		last = number;
	}
	if (stepped < 0 && fault->class == FAULT_CORRUPT) {
		verify_finding(verification, VERIFY_RECORD, SLICE_NONE, 0, 0, fault->text);
		return 0;
	}
	return stepped;
}

/* Rows that vanished inside a page show in nothing else than the page's own accounts. */
static int
check_shape(struct verification *verification, const char *table, enum verify_finding_kind kind, struct fault *fault)
{
	struct link *link = &verification->reader->link;
	sqlite3_stmt *statement;
	char sql[80];
	int stepped;

	snprintf(sql, sizeof(sql), "PRAGMA integrity_check(%s)", table);
	if (sqlite3_prepare_v2(link->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return link_fault(link, sql, fault);
	while ((stepped = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		if (text != NULL && strcmp(text, "ok") != 0)
			verify_finding(verification, kind, SLICE_NONE, 0, 0, text);
	}
	sqlite3_finalize(statement);
	return 0;
}

int
verify_rest(struct verification *verification, struct fault *fault)
{
	if (check_names(verification, fault) != 0 || check_records(verification, fault) != 0 ||
	    check_bares(verification, fault) != 0 ||
	    check_shape(verification, "'records'", VERIFY_RECORD, fault) != 0 ||
	    check_shape(verification, "'bares'", VERIFY_RECORD, fault) != 0 ||
	    check_shape(verification, "'types'", VERIFY_RECORD, fault) != 0)
		return -1;
	return 0;
}
