/* SPDX-License-Identifier: MIT */
/*
 * A sealer goes through a full segment in steps: clear what an interrupted sealing left, the blocks of each kind, the
 * segment's row with its filters. Only when the commit that carried the last step is durable does the index in memory
 * change over. A rollback sends it back to the beginning, which is rare and harmless.
 *
 * Forgetting follows the same way: ids past the window are unknown at once, their blocks are dropped in later bites.
 * Fails: MEMORY, as SQL does; the commit that carried the bite then fails with it.
 */
#include "store/sqlite/seal.h"

#include <stdlib.h>

#include "store/sqlite/range.h"
#include "store/sqlite/source.h"

/* A full segment's index has some 1,600 blocks: at this pace it is on disk when a third of the next is filled. */
#define BITES_A_SEGMENT 400
#define BITE_BLOCKS     16

enum seal_step { STEP_CLEAR, STEP_BLOCKS, STEP_ROW, STEP_DONE };

struct sealer {
	struct live *live;
	enum seal_step step;
	enum block_kind kind;
	struct block_source *source;
	struct buf block;
	uint64_t stream_blocks; /* how many there are so far */
	struct sealed *sealed;
	bool touched; /* in the present transaction */
};

static int
no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_MEMORY, "memory", "no memory to seal a segment of the index");
}

void
seal_free(struct sealer *sealer)
{
	if (sealer == NULL)
		return;
	block_source_free(sealer->source);
	sealed_free(sealer->sealed);
	buf_fini(&sealer->block);
	free(sealer);
}

static struct sealer *
new_sealer(struct live *live)
{
	struct sealer *sealer = calloc(1, sizeof(*sealer));

	if (sealer == NULL)
		return NULL;
	sealer->live = live;
	buf_init(&sealer->block, SIZE_MAX);
	return sealer;
}

static int
run_on_segment(struct link *link, enum link_sql sql, uint64_t number, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, sql, fault);

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, number);
	return link_step(link, statement, fault);
}

static int
clear(struct sealer *sealer, struct link *link, struct fault *fault)
{
	if (run_on_segment(link, SQL_DROP_HASHES, sealer->live->number, fault) != 0 ||
	    run_on_segment(link, SQL_DROP_STREAM_KEYS, sealer->live->number, fault) != 0 ||
	    run_on_segment(link, SQL_DROP_STREAM_BLOCKS, sealer->live->number, fault) != 0)
		return -1;
	sealer->stream_blocks = 0;
	sealer->step = STEP_BLOCKS;
	sealer->kind = BLOCK_NAMES;
	return 0;
}

/* The key, and the block by its number (STREAM_BLOCK_BITS): a segment has fewer blocks than entries. */
static int
put_stream_block(struct sealer *sealer, struct link *link, const struct block_key *key, struct fault *fault)
{
	sqlite3_stmt *keys = link_use(link, SQL_PUT_STREAM_KEY, fault);
	sqlite3_stmt *blocks = keys != NULL ? link_use(link, SQL_PUT_STREAM_BLOCK, fault) : NULL;
	uint64_t number = (key->segment << STREAM_BLOCK_BITS) + ++sealer->stream_blocks;

	if (blocks == NULL)
		return -1;
	link_bind_int(keys, 1, key->segment);
	link_bind_int(keys, 2, key->major);
	link_bind_int(keys, 3, key->minor);
	link_bind_int(keys, 4, number);
	if (link_step(link, keys, fault) < 0)
		return -1;
	link_bind_int(blocks, 1, number);
	link_bind_slice(blocks, 2, buf_slice(&sealer->block));
	return link_step(link, blocks, fault);
}

static int
put_hash_block(struct sealer *sealer, struct link *link, const struct block_key *key, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, SQL_PUT_HASH_BLOCK, fault);

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, key->major);
	link_bind_int(statement, 2, key->segment);
	link_bind_int(statement, 3, key->minor);
	link_bind_slice(statement, 4, buf_slice(&sealer->block));
	return link_step(link, statement, fault);
}

static int
put_block(struct sealer *sealer, struct link *link, const struct block_key *key, struct fault *fault)
{
	return sealer->kind == BLOCK_STREAMS ? put_stream_block(sealer, link, key, fault)
					     : put_hash_block(sealer, link, key, fault);
}

/* Up to `blocks` blocks. The step that sorts a kind ends the bite, since it takes as long as one. */
static int
put_blocks(struct sealer *sealer, const struct index *index, struct link *link, size_t blocks, struct fault *fault)
{
	if (sealer->source == NULL) {
		sealer->source = block_source_new(index, sealer->live, sealer->kind);
		return sealer->source != NULL ? 0 : no_memory(fault);
	}
	for (; blocks > 0; blocks--) {
		struct block_key key;
		int next = block_source_next(sealer->source, &key, &sealer->block);

		if (next < 0)
			return no_memory(fault);
		if (next == 0) {
			block_source_free(sealer->source);
			sealer->source = NULL;
			if (++sealer->kind == BLOCK_KINDS)
				sealer->step = STEP_ROW;
			return 0;
		}
		if (put_block(sealer, link, &key, fault) != 0)
			return -1;
	}
	return 0;
}

static int
put_row(struct link *link, const struct sealed *sealed, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(link, SQL_PUT_SEGMENT, fault);
	const struct slice names = slice_from(sealed->names.bits, sealed->names.size),
			   streams = slice_from(sealed->streams.bits, sealed->streams.size),
			   commands = slice_from(sealed->commands.bits, sealed->commands.size);
	uint8_t range[RANGE_SIZE];

	if (statement == NULL)
		return -1;
	range_put(range, &sealed->range);
	link_bind_int(statement, 1, sealed->range.number);
	link_bind_slice(statement, 2, slice_from(range, sizeof(range)));
	link_bind_slice(statement, 3, names);
	link_bind_slice(statement, 4, streams);
	if (commands.size != 0)
		link_bind_slice(statement, 5, commands);
	else
		sqlite3_bind_null(statement, 5);
	link_bind_int(statement, 6, range_seal(slice_from(range, sizeof(range)), names, streams, commands));
	return link_step(link, statement, fault);
}

static int
finish(struct sealer *sealer, const struct index *index, struct link *link, struct fault *fault)
{
	struct sealed *sealed = calloc(1, sizeof(*sealed));

	sealed_free(sealer->sealed);
	sealer->sealed = sealed;
	if (sealed == NULL)
		return no_memory(fault);
	sealed->range = block_range(sealer->live);
	if (block_bloom(index, sealer->live, BLOCK_NAMES, 0, &sealed->names) != 0 ||
	    block_bloom(index, sealer->live, BLOCK_STREAMS, 0, &sealed->streams) != 0 ||
	    block_bloom(index, sealer->live, BLOCK_COMMANDS, 0, &sealed->commands) != 0)
		return no_memory(fault);
	if (put_row(link, sealed, fault) != 0)
		return -1;
	sealer->step = STEP_DONE;
	return 0;
}

static int
step(struct sealer *sealer, const struct index *index, struct link *link, size_t blocks, struct fault *fault)
{
	sealer->touched = true;
	switch (sealer->step) {
	case STEP_CLEAR:
		return clear(sealer, link, fault);
	case STEP_BLOCKS:
		return put_blocks(sealer, index, link, blocks, fault);
	case STEP_ROW:
		return finish(sealer, index, link, fault);
	case STEP_DONE:
		break;
	}
	return 0;
}

/* The ids of segments before `keep` are past the window. */
static size_t
past_window(const struct sqlite_store *store)
{
	const struct index *index = &store->index;
	uint64_t newer = 0;
	size_t keep = index->sealed_count;

	for (size_t i = 0; i < index->live_count; i++)
		newer += index->live[i]->command_count;
	while (keep > 0 && newer < store->remember_ids &&
	       index->sealed[keep - 1]->range.last_time >= store->end.time - store->remember_us)
		newer += index->sealed[--keep]->range.commands;
	return keep;
}

/*
 * One segment's share of forgetting. Should its commit fail, the row still has the filter, and the next start knows the
 * ids
 * again: they are past the window either way.
 */
static int
forget_some(struct sqlite_store *store, struct fault *fault)
{
	struct index *index = &store->index;
	size_t keep = past_window(store);

	for (size_t i = 0; i < keep; i++) {
		struct sealed *sealed = index->sealed[i];

		if (sealed->forgotten || sealed->damaged)
			continue;
		index_forget_commands(index, sealed);
		__atomic_store_n(&store->stats.remembered_ids, store->stats.remembered_ids - sealed->range.commands,
				 __ATOMIC_RELAXED);
		store->forgetting = sealed->range.number;
		return put_row(&store->link, sealed, fault);
	}
	return 0;
}

static int
drop_forgotten(struct sqlite_store *store, struct fault *fault)
{
	sqlite3_stmt *statement = link_use(&store->link, SQL_DROP_HASH_BLOCKS, fault);

	if (statement == NULL)
		return -1;
	link_bind_int(statement, 1, HASH_COMMANDS);
	link_bind_int(statement, 2, store->forgetting);
	link_bind_int(statement, 3, BITE_BLOCKS);
	if (link_step(&store->link, statement, fault) != 0)
		return -1;
	if (sqlite3_changes(store->link.db) == 0)
		store->forgetting = 0;
	return 0;
}

int
seal_piggyback(struct sqlite_store *store, uint32_t entries, struct fault *fault)
{
	struct index *index = &store->index;
	uint32_t every = index->segment_entries / BITES_A_SEGMENT + 1;
	size_t bites;

	store->seal_debt += entries;
	if (store->seal_debt < every)
		return 0;
	bites = store->seal_debt / every;
	store->seal_debt = 0;
	if (store->forgetting != 0)
		return drop_forgotten(store, fault);
	if (store->sealer == NULL && index->live_count <= 1)
		return forget_some(store, fault);
	if (store->sealer == NULL && (store->sealer = new_sealer(index->live[0])) == NULL)
		return no_memory(fault);
	/* Far behind, the commit pays for all that is left. */
	for (; bites > 0 || index->live_count >= LIVE_MAX - 1; bites -= bites > 0)
		if (store->sealer->step == STEP_DONE)
			return 0;
		else if (step(store->sealer, index, &store->link, BITE_BLOCKS, fault) != 0)
			return -1;
	return 0;
}

void
seal_committed(struct sqlite_store *store)
{
	struct sealer *sealer = store->sealer;

	if (sealer == NULL)
		return;
	sealer->touched = false;
	if (sealer->step != STEP_DONE || index_add_sealed(&store->index, sealer->sealed, true) != 0)
		return;
	__atomic_store_n(&store->stats.indexed_to, sealer->sealed->range.last, __ATOMIC_RELAXED);
	sealer->sealed = NULL;
	seal_free(sealer);
	store->sealer = NULL;
}

void
seal_undo(struct sqlite_store *store)
{
	struct sealer *sealer = store->sealer;

	if (sealer == NULL || !sealer->touched)
		return;
	seal_free(sealer);
	store->sealer = NULL;
}

static int
all_steps(struct sqlite_store *store, struct sealer *sealer, struct fault *fault)
{
	if (link_run(&store->link, SQL_BEGIN_WRITE, fault) != 0)
		return -1;
	while (sealer->step != STEP_DONE)
		if (step(sealer, &store->index, &store->link, SIZE_MAX, fault) != 0)
			goto undo;
	if (link_run(&store->link, SQL_COMMIT, fault) == 0)
		return 0;
	sqlite_fail(store, fault);
undo:
	if (sqlite3_get_autocommit(store->link.db) == 0)
		link_run(&store->link, SQL_ROLLBACK, NULL);
	return -1;
}

int
seal_again(struct sqlite_store *store, struct live *live, struct fault *fault)
{
	struct sealer *sealer = new_sealer(live);
	int result;

	if (sealer == NULL)
		return no_memory(fault);
	result = all_steps(store, sealer, fault);
	if (result == 0 && index_replace_sealed(&store->index, sealer->sealed) != 0)
		result = no_memory(fault);
	else if (result == 0)
		sealer->sealed = NULL;
	seal_free(sealer);
	return result;
}

int
seal_now(struct sqlite_store *store, struct fault *fault)
{
	if (store->sealer == NULL && (store->sealer = new_sealer(store->index.live[0])) == NULL)
		return no_memory(fault);
	if (all_steps(store, store->sealer, fault) != 0) {
		seal_undo(store);
		return -1;
	}
	seal_committed(store);
	return 0;
}
