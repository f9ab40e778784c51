/* SPDX-License-Identifier: MIT */
/* From a live segment to the blocks and filters of its sealed form; the same segment always gives the same bytes. */
#ifndef MOONLOG_STORE_SQLITE_SOURCE_H
#define MOONLOG_STORE_SQLITE_SOURCE_H

#include "store/sqlite/block.h"
#include "store/sqlite/index.h"

/*
 * The blocks of a segment, one after the other: for sealing, and for comparing what is stored with what should be.
 * The live segment must be full, or not change meanwhile.
 */
struct block_source;
enum block_kind { BLOCK_NAMES, BLOCK_COMMANDS, BLOCK_STREAMS, BLOCK_KINDS };

/* Gives NULL without memory. */
struct block_source *block_source_new(const struct index *index, const struct live *live, enum block_kind kind);
void block_source_free(struct block_source *source);
/* 1 a block (its key; its blob in `out`), 0 the end, -1 without memory. */
int block_source_next(struct block_source *source, struct block_key *key, struct buf *out);
/* `bytes`: of a filter that is stored, or 0. Gives 0, or -1 without memory. */
int block_bloom(const struct index *index, const struct live *live, enum block_kind kind, size_t bytes,
		struct bloom *bloom);
struct segment_range block_range(const struct live *live);

#endif
